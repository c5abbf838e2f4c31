// Products with a few rows: 8 or 32 a block, a warp for each slice of the inputs.
#include "product.cuh"

constexpr int FEW_THREADS = SLICES * WARP;

// Sums of one slice: 16 outputs by TILES times 8 rows, spread over the lanes as the tensor cores leave them.
template <class Format, int TILES>
__device__ __forceinline__ void sum_slice(const Weights& weights, const Activations<typename Format::Operand>& input,
                                          int first_row, int slice, float (&sums)[TILES][4]) {
  const int lane = threadIdx.x % WARP, steps = input.width / TILE_INPUTS;
  const size_t first_tile = size_t(blockIdx.x) * steps;
#pragma unroll
  for (int tile = 0; tile < TILES; tile++) {
#pragma unroll
    for (int i = 0; i < 4; i++) sums[tile][i] = 0;
  }
#pragma unroll 4
  for (int step = slice_start(slice, steps); step < slice_start(slice + 1, steps); step++) {
    uint32_t a[2][4];
    Format::expand(Format::load(weights, first_tile + step, lane), a);
#pragma unroll
    for (int tile = 0; tile < TILES; tile++) {
      int row = first_row + tile * COLUMNS + lane / 4;
      uint4 x = {0, 0, 0, 0};
      if (row < input.rows) {
        x = *reinterpret_cast<const uint4*>(input.values + size_t(row) * input.width + step * TILE_INPUTS + lane % 4 * 8);
      }
      const uint32_t b[2][2] = {{x.x, x.y}, {x.z, x.w}};
      multiply_accumulate(sums[tile], a[0], b[0], typename Format::Operand{});
      multiply_accumulate(sums[tile], a[1], b[1], typename Format::Operand{});
    }
  }
}

// Leaves each warp's sums where the whole block finds them: (SLICES, TILES, lanes, 4).
template <int TILES>
__device__ __forceinline__ void share(const float (&sums)[TILES][4], float* shared) {
  const int lane = threadIdx.x % WARP, slice = threadIdx.x / WARP;
#pragma unroll
  for (int tile = 0; tile < TILES; tile++) {
#pragma unroll
    for (int i = 0; i < 4; i++) shared[((slice * TILES + tile) * WARP + lane) * 4 + i] = sums[tile][i];
  }
}

// The sum of the slices at one place of (TILES, lanes, 4).
template <int TILES>
__device__ __forceinline__ float add_slices(const float* shared, int place) {
  float total = 0;
#pragma unroll
  for (int slice = 0; slice < SLICES; slice++) total += shared[slice * TILES * WARP * 4 + place];
  return total;
}

// The row and the output at a place of (TILES, lanes, 4).
__device__ __forceinline__ int row_at(int place) { return place / (WARP * 4) * COLUMNS + place / 4 % 4 * 2 + place % 2; }
__device__ __forceinline__ int output_at(int place) { return place / 16 % 8 + place / 2 % 2 * 8; }

// The output from weights · input. Grid (outputs / 16, rows / (8 TILES)), both rounded up.
template <class Format, int TILES>
__device__ __forceinline__ void product(const Weights& weights, const Activations<typename Format::Operand>& input,
                                        const Output& output) {
  SHARED(float, shared, SLICES * TILES * WARP * 4);
  const int first_row = blockIdx.y * TILES * COLUMNS, first_output = blockIdx.x * TILE_OUTPUTS;
  float sums[TILES][4];
  sum_slice<Format>(weights, input, first_row, threadIdx.x / WARP, sums);
  share(sums, shared);
  __syncthreads();
  for (int place = threadIdx.x; place < TILES * WARP * 4; place += FEW_THREADS) {
    int row = first_row + row_at(place), at = first_output + output_at(place);
    if (row < input.rows && at < output.count) output.put(row, at, add_slices<TILES>(shared, place));
  }
}

#define PRODUCT(Format, TILES, name)                                                                              \
  KERNEL(FEW_THREADS)                                                                                             \
  name(const void* data, const void* scales, const Format::Operand* input, float* output, int rows, int width,    \
       int outputs, int stride, int then) {                                                                       \
    product<Format, TILES>({data, scales}, {input, rows, width}, {output, stride, outputs, then});                \
  }                                                                                                               \
  REGISTER(name, FEW_THREADS)

PRODUCT(F16, 1, product_few_f16_8)
PRODUCT(F16, 4, product_few_f16_32)
PRODUCT(Bf16, 1, product_few_bf16_8)
PRODUCT(Bf16, 4, product_few_bf16_32)
PRODUCT(Int8, 1, product_few_int8_8)
PRODUCT(Int8, 4, product_few_int8_32)
PRODUCT(Int4, 1, product_few_int4_8)
PRODUCT(Int4, 4, product_few_int4_32)

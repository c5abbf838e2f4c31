// Products with many rows: 64 rows by 64 outputs a block, four warps of 16 outputs each; the rows' activations come to
// shared memory a few steps ahead of their use.
#include "product.cuh"

constexpr int MANY_WARPS = 4;
constexpr int MANY_THREADS = MANY_WARPS * WARP;
constexpr int MANY_ROWS = 64;
constexpr int TILES = MANY_ROWS / COLUMNS;
// Steps whose activations are in shared memory or on their way there.
constexpr int STAGES = 4;
// Elements of one step's activations: (rows, 32). Rows of 64 bytes lie so that the eight lanes of one access phase, two
// rows of four, touch every bank once.
constexpr int STAGE_ELEMENTS = MANY_ROWS * TILE_INPUTS;

// Begins the copies of one step's activations; zeros for rows that are not there.
template <class T>
__device__ __forceinline__ void fetch(const Activations<T>& input, int first_row, int step, T* stage) {
  constexpr int PIECES = TILE_INPUTS / 8;
  for (int i = threadIdx.x; i < MANY_ROWS * PIECES; i += MANY_THREADS) {
    int row = first_row + i / PIECES, piece = i % PIECES;
    bool is_there = row < input.rows;
    const T* from = input.values + size_t(is_there ? row : 0) * input.width + step * TILE_INPUTS + piece * 8;
    copy_async_16(stage + i * 8, from, is_there);
  }
}

// The products of this warp's 16 outputs with the block's rows, spread over the lanes as the tensor cores leave them.
template <class Format>
__device__ __forceinline__ void sum(const Weights& weights, const Activations<typename Format::Operand>& input,
                                    int first_row, size_t first_tile, typename Format::Operand* stages,
                                    float (&totals)[TILES][4]) {
  using T = typename Format::Operand;
  const int lane = threadIdx.x % WARP, steps = input.width / TILE_INPUTS;
  float sums[TILES][4];
#pragma unroll
  for (int tile = 0; tile < TILES; tile++) {
#pragma unroll
    for (int i = 0; i < 4; i++) totals[tile][i] = sums[tile][i] = 0;
  }
  // An empty group where there is no step, so that a group is a step all the same.
  for (int step = 0; step < STAGES - 1; step++) {
    if (step < steps) fetch(input, first_row, step, stages + step * STAGE_ELEMENTS);
    copy_async_commit();
  }
  typename Format::Source source(weights, first_tile, lane);
  int slice = 0;
  for (int step = 0; step < steps; step++) {
    copy_async_wait<STAGES - 2>();
    // This step's activations are there for every warp, and every warp is done with those of the step before.
    __syncthreads();
    int next = step + STAGES - 1;
    if (next < steps) fetch(input, first_row, next, stages + next % STAGES * STAGE_ELEMENTS);
    copy_async_commit();
    uint32_t a[2][4];
    Format::expand(source.load(0), a);
    source.skip(1);
    const T* stage = stages + step % STAGES * STAGE_ELEMENTS;
#pragma unroll
    for (int tile = 0; tile < TILES; tile++) {
      uint4 x = *reinterpret_cast<const uint4*>(stage + (tile * COLUMNS + lane / 4) * TILE_INPUTS + lane % 4 * 8);
      const uint32_t b[2][2] = {{x.x, x.y}, {x.z, x.w}};
      multiply_accumulate(sums[tile], a[0], b[0], T{});
      multiply_accumulate(sums[tile], a[1], b[1], T{});
    }
    // Slices may be empty, where there are fewer steps than slices.
    while (slice < SLICES && slice_start(slice + 1, steps) <= step + 1) {
#pragma unroll
      for (int tile = 0; tile < TILES; tile++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          totals[tile][i] += sums[tile][i];
          sums[tile][i] = 0;
        }
      }
      slice++;
    }
  }
}

// The place of the first tile of this warp's outputs; a warp past the last outputs repeats the last ones and is not heard.
__device__ __forceinline__ size_t warp_tile(int outputs, int width) {
  int row = blockIdx.x * MANY_WARPS + threadIdx.x / WARP, rows = (outputs + TILE_OUTPUTS - 1) / TILE_OUTPUTS;
  return size_t(min(row, rows - 1)) * (width / TILE_INPUTS);
}

// The output from weights · input. Grid (outputs / 64, rows / 64), both rounded up.
template <class Format>
__device__ __forceinline__ void product(const Weights& weights, const Activations<typename Format::Operand>& input,
                                        const Output& output) {
  SHARED(typename Format::Operand, stages, STAGES * STAGE_ELEMENTS);
  let_next_begin();
  wait_for_launches();
  const int lane = threadIdx.x % WARP, first_row = blockIdx.y * MANY_ROWS;
  const int first_output = (blockIdx.x * MANY_WARPS + threadIdx.x / WARP) * TILE_OUTPUTS;
  float totals[TILES][4];
  sum<Format>(weights, input, first_row, warp_tile(output.count, input.width), stages, totals);
#pragma unroll
  for (int tile = 0; tile < TILES; tile++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      int row = first_row + tile * COLUMNS + lane % 4 * 2 + i % 2, at = first_output + lane / 4 + i / 2 * 8;
      if (row < input.rows && at < output.count) output.put(row, at, totals[tile][i], output.before(row, at));
    }
  }
}

#define PRODUCT(Format, name)                                                                                     \
  KERNEL(MANY_THREADS)                                                                                            \
  name(const void* data, const void* scales, const Format::Operand* input, float* output, void* operand, int rows, \
       int width, int outputs, int stride, int then) {                                                            \
    product<Format>({data, scales}, {input, rows, width}, {output, operand, stride, outputs, then});              \
  }                                                                                                               \
  REGISTER(name, MANY_THREADS)

PRODUCT(F16, product_many_f16_64)
PRODUCT(Bf16, product_many_bf16_64)
PRODUCT(Int8, product_many_int8_64)
PRODUCT(Int4, product_many_int4_64)

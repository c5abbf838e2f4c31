// Products with a few rows: 8 or 32 a block, a warp for each slice of the inputs.
//
// The time is that of the weights' way from memory. An H100's multiprocessor has 25 KB a microsecond of its bandwidth, and
// a read takes up to a microsecond, so as much must be on its way: a warp keeps AHEAD tiles in registers before their use (2
// to 4 KB, 16 to 32 KB a block), and the first of them are asked for before the launch waits for the one that writes its
// activations.
//
// Up to 8 rows may come as they are in the residual stream, and be normalised by every block for itself: that saves a launch.
// A block goes on to further tiles of 16 outputs, so that it does so once.
#include "normalise.cuh"
#include "product.cuh"

constexpr int FEW_THREADS = SLICES * WARP;
static_assert(FEW_THREADS == NORMALISE_THREADS);
// Blocks of a multiprocessor at once.
constexpr int FEW_BLOCKS = 2;

// Activations (rows, width) in memory or in the block's shared memory, their rows `stride` apart.
template <class T>
struct Rows {
  const T* values;
  int rows;
  size_t stride;
};

// The steps of 32 inputs that a warp sums.
struct Slice {
  int first, count;
};

// The layer's inputs as the residual stream has them (rows: which, or all in order where null).
struct Stream {
  const float* values;
  const uint32_t* rows;
  const float* weight;
  float epsilon;
};

// One row of the stream in shared memory, in elements: an odd number of 64 bytes, so that the eight lanes of an access
// phase, two rows of four, touch every bank once.
__device__ __forceinline__ int staged_stride(int width) { return width / 64 * 64 + 32; }

// A warp's way through its slice of the weights, with what it has asked for and not used.
template <class Format, int TILES, int MATRICES>
struct Ahead {
  // With 32 rows their activations take registers too.
  static constexpr int STEPS = Format::AHEAD / (TILES > 1 ? 2 : 1) / MATRICES;
  // Steps whose activations are asked for together: their way is short.
  static constexpr int BATCH = TILES > 1 ? 1 : STEPS > 4 ? STEPS / 2 : STEPS;
  typename Format::Source sources[MATRICES];
  typename Format::Fragment fragments[STEPS][MATRICES];

  // Asks for the tile so many steps on.
  __device__ __forceinline__ void load(int slot, int step) {
#pragma unroll
    for (int i = 0; i < MATRICES; i++) fragments[slot][i] = sources[i].load(step);
  }

  // Goes to the first tile of a slice.
  __device__ __forceinline__ void begin(const Weights (&weights)[MATRICES], size_t tile, int count) {
#pragma unroll
    for (int i = 0; i < MATRICES; i++) sources[i] = {weights[i], tile, int(threadIdx.x % WARP)};
#pragma unroll
    for (int i = 0; i < STEPS; i++) {
      if (i < count) load(i, i);
    }
  }
};

// Sums of one slice: 16 outputs of each matrix by TILES times 8 rows, spread over the lanes as the tensor cores leave them.
template <class Format, int TILES, int MATRICES>
__device__ __forceinline__ void sum_slice(const Slice& slice, const Rows<typename Format::Operand>& input, int first_row,
                                          Ahead<Format, TILES, MATRICES>& ahead, float (&sums)[MATRICES][TILES][4]) {
  using Asked = Ahead<Format, TILES, MATRICES>;
  using T = typename Format::Operand;
  constexpr int STEPS = Asked::STEPS, BATCH = Asked::BATCH;
  const T* from[TILES];
  bool is_there[TILES];
#pragma unroll
  for (int tile = 0; tile < TILES; tile++) {
    const int row = first_row + tile * COLUMNS + threadIdx.x % WARP / 4;
    is_there[tile] = row < input.rows;
    from[tile] = input.values + row * input.stride + slice.first * TILE_INPUTS + threadIdx.x % 4 * 8;
#pragma unroll
    for (int i = 0; i < MATRICES * 4; i++) sums[i / 4][tile][i % 4] = 0;
  }
  uint4 x[BATCH][TILES];
  for (int left = slice.count; left > 0; left -= STEPS) {
#pragma unroll
    for (int i = 0; i < STEPS; i++) {
#pragma unroll
      for (int j = 0; i % BATCH == 0 && j < BATCH * TILES; j++) {
        uint4& eight = x[j / TILES][j % TILES];
        eight = {0, 0, 0, 0};
        if (i + j / TILES >= left || !is_there[j % TILES]) continue;
        eight = *reinterpret_cast<const uint4*>(from[j % TILES] + (i + j / TILES) * TILE_INPUTS);
      }
      if (i >= left) break;
      uint32_t a[MATRICES][2][4];
#pragma unroll
      for (int matrix = 0; matrix < MATRICES; matrix++) Format::expand(ahead.fragments[i][matrix], a[matrix]);
#pragma unroll
      for (int tile = 0; tile < TILES; tile++) {
        const uint4& eight = x[i % BATCH][tile];
        const uint32_t b[2][2] = {{eight.x, eight.y}, {eight.z, eight.w}};
#pragma unroll
        for (int matrix = 0; matrix < MATRICES; matrix++) {
          multiply_accumulate(sums[matrix][tile], a[matrix][0], b[0], T{});
          multiply_accumulate(sums[matrix][tile], a[matrix][1], b[1], T{});
        }
      }
      // After their use, so that the compiler has them in the registers of those that were used.
      if (i + STEPS < left) ahead.load(i, i + STEPS);
    }
#pragma unroll
    for (int i = 0; i < TILES; i++) from[i] += STEPS * TILE_INPUTS;
#pragma unroll
    for (int i = 0; i < MATRICES; i++) ahead.sources[i].skip(STEPS);
  }
}

// A block's sums, (SLICES, MATRICES, TILES, lanes, 4), of which a thread has the places threadIdx.x + i * FEW_THREADS.
template <int TILES, int MATRICES>
struct Shared {
  static constexpr int PLACES = TILES * WARP * 4;
  static constexpr int FLOATS = SLICES * MATRICES * PLACES;
  float* floats;

  __device__ __forceinline__ void share(const float (&sums)[MATRICES][TILES][4]) const {
    const int lane = threadIdx.x % WARP, slice = threadIdx.x / WARP;
#pragma unroll
    for (int i = 0; i < MATRICES * TILES; i++) {
      const float(&four)[4] = sums[i / TILES][i % TILES];
      reinterpret_cast<float4*>(floats)[(slice * MATRICES * TILES + i) * WARP + lane] = {four[0], four[1], four[2], four[3]};
    }
  }

  // The sum of the slices at one place of (TILES, lanes, 4).
  __device__ __forceinline__ float sum(int matrix, int place) const {
    float total = 0;
#pragma unroll
    for (int slice = 0; slice < SLICES; slice++) total += floats[(slice * MATRICES + matrix) * PLACES + place];
    return total;
  }

  // The row and the output at a place.
  static __device__ __forceinline__ int row_at(int place) {
    return place / (WARP * 4) * COLUMNS + place / 4 % 4 * 2 + place % 2;
  }
  static __device__ __forceinline__ int output_at(int place) { return place / 16 % 8 + place / 2 % 2 * 8; }
};

// Asks for a norm's weights, before the launch waits.
__device__ __forceinline__ void prefetch_norm(const float* weight, int width) {
  constexpr int LINE = 128 / sizeof(float);
#pragma unroll 1
  for (int i = threadIdx.x * LINE; i < width; i += FEW_THREADS * LINE) prefetch(weight + i);
}

// Normalises the stream's rows into shared memory.
template <class T>
__device__ __forceinline__ Rows<T> stage(const Stream& stream, int rows, int width) {
  SHARED(float, sums, COLUMNS * NORMALISE_WARPS);
  DYNAMIC_SHARED(T, staged);
  const int stride = staged_stride(width);
  auto at = [&](int row) { return stream.values + size_t(stream.rows ? stream.rows[row] : row) * width; };
#pragma unroll 1
  for (int row = 0; row < rows; row++) sum_squares(at(row), width, sums + row * NORMALISE_WARPS);
  __syncthreads();
#pragma unroll 1
  for (int row = 0; row < rows; row++) {
    write_normalised(at(row), sums + row * NORMALISE_WARPS, stream.weight, staged + row * stride, width, stream.epsilon);
  }
  __syncthreads();
  return {staged, rows, size_t(stride)};
}

// The output from weights · input. Grid (tiles of 16 outputs or fewer, rows / (8 TILES) rounded up). `input` gives the rows
// once the launches before are done. Of two matrices the first is a gate.
template <class Format, int TILES, int MATRICES, class Input>
__device__ __forceinline__ void product(const Weights (&weights)[MATRICES], int width, const Output& output, Input input) {
  using Sums = Shared<TILES, MATRICES>;
  constexpr int EACH = (Sums::PLACES + FEW_THREADS - 1) / FEW_THREADS;
  SHARED(float, floats, Sums::FLOATS);
  const Sums shared{floats};
  const int steps = width / TILE_INPUTS, first_row = blockIdx.y * TILES * COLUMNS, warp = threadIdx.x / WARP;
  const int tiles = (output.count + TILE_OUTPUTS - 1) / TILE_OUTPUTS;
  const Slice slice{slice_start(warp, steps), slice_start(warp + 1, steps) - slice_start(warp, steps)};
  auto first_tile = [&](int tile) { return size_t(tile) * steps + slice.first; };
  Ahead<Format, TILES, MATRICES> ahead;
  ahead.begin(weights, first_tile(blockIdx.x), slice.count);
  let_next_begin();
  wait_for_launches();
  const Rows<typename Format::Operand> rows = input();
  for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    auto is_there = [&](int place) {
      return place < Sums::PLACES && first_row + Sums::row_at(place) < rows.rows &&
             tile * TILE_OUTPUTS + Sums::output_at(place) < output.count;
    };
    float before[EACH] = {};
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      int place = threadIdx.x + i * FEW_THREADS;
      if (MATRICES > 1 || !is_there(place)) continue;
      before[i] = output.before(first_row + Sums::row_at(place), tile * TILE_OUTPUTS + Sums::output_at(place));
    }
    float sums[MATRICES][TILES][4];
    sum_slice(slice, rows, first_row, ahead, sums);
    const bool is_last = tile + int(gridDim.x) >= tiles;
    if (!is_last) ahead.begin(weights, first_tile(tile + gridDim.x), slice.count);
    shared.share(sums);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      int place = threadIdx.x + i * FEW_THREADS;
      if (!is_there(place)) continue;
      output.put(first_row + Sums::row_at(place), tile * TILE_OUTPUTS + Sums::output_at(place),
                 shared.sum(MATRICES - 1, place), MATRICES > 1 ? shared.sum(0, place) : before[i]);
    }
    // The next tile's sums take the place of these.
    if (!is_last) __syncthreads();
  }
}

#define ROUNDED(Format) [=] { return Rows<Format::Operand>{input, rows, size_t(width)}; }
#define STAGED(Format) [=] { return stage<Format::Operand>({stream, listed, norm, epsilon}, rows, width); }

// Products with rows in the operand's type.
#define PRODUCT(Format, TILES, name)                                                                            \
  KERNEL_RESIDENT(FEW_THREADS, FEW_BLOCKS)                                                                      \
  product_##name(const void* data, const void* scales, const Format::Operand* input, KERNEL_OUTPUT) {           \
    product<Format, TILES, 1>({{data, scales}}, width, OUTPUT, ROUNDED(Format));                                \
  }                                                                                                             \
  REGISTER(product_##name, FEW_THREADS)                                                                         \
  KERNEL_RESIDENT(FEW_THREADS, FEW_BLOCKS)                                                                      \
  gated_##name(const void* data, const void* scales, const void* up_data, const void* up_scales,                \
               const Format::Operand* input, KERNEL_OUTPUT) {                                                   \
    product<Format, TILES, 2>({{data, scales}, {up_data, up_scales}}, width, OUTPUT, ROUNDED(Format));          \
  }                                                                                                             \
  REGISTER(gated_##name, FEW_THREADS)

// Products with up to 8 rows of the stream.
#define NORMALISED(Format, name)                                                                                \
  KERNEL_RESIDENT(FEW_THREADS, FEW_BLOCKS)                                                                      \
  product_##name(const void* data, const void* scales, const float* stream, const uint32_t* listed,             \
                 const float* norm, float epsilon, KERNEL_OUTPUT) {                                             \
    prefetch_norm(norm, width);                                                                                 \
    product<Format, 1, 1>({{data, scales}}, width, OUTPUT, STAGED(Format));                                     \
  }                                                                                                             \
  REGISTER(product_##name, FEW_THREADS)                                                                         \
  KERNEL_RESIDENT(FEW_THREADS, FEW_BLOCKS)                                                                      \
  gated_##name(const void* data, const void* scales, const void* up_data, const void* up_scales,                \
               const float* stream, const uint32_t* listed, const float* norm, float epsilon, KERNEL_OUTPUT) {  \
    prefetch_norm(norm, width);                                                                                 \
    product<Format, 1, 2>({{data, scales}, {up_data, up_scales}}, width, OUTPUT, STAGED(Format));               \
  }                                                                                                             \
  REGISTER(gated_##name, FEW_THREADS)

#define PRODUCTS(Format, name)         \
  PRODUCT(Format, 1, few_##name##_8)   \
  PRODUCT(Format, 4, few_##name##_32)  \
  NORMALISED(Format, normalised_##name)

PRODUCTS(F16, f16)
PRODUCTS(Bf16, bf16)
PRODUCTS(Int8, int8)
PRODUCTS(Int4, int4)

// Products with many rows. Weights and activations come to shared memory a few steps ahead of their use, and several warps
// read each from there.
//
// Where blocks are too few for the device they share out the slices of every sum. Each slice's part is left in memory, and a
// second launch adds the parts in the slices' order.
#include "product.cuh"

// A block's part of the output: ACROSS by DOWN warps, each with OUTPUT_TILES times 16 outputs by ROW_TILES times 8 rows.
// Of two matrices the tiles of the same outputs are side by side.
template <int ACROSS_, int DOWN_, int OUTPUT_TILES_, int ROW_TILES_, int STAGES_>
struct Block {
  static constexpr int ACROSS = ACROSS_, OUTPUT_TILES = OUTPUT_TILES_, ROW_TILES = ROW_TILES_;
  static constexpr int THREADS = ACROSS_ * DOWN_ * WARP;
  // Tiles of outputs, and rows, of the whole block.
  static constexpr int TILES = ACROSS_ * OUTPUT_TILES_;
  static constexpr int ROWS = DOWN_ * ROW_TILES_ * COLUMNS;
  // Steps whose operands are in shared memory or on their way there.
  static constexpr int STAGES = STAGES_;
};
using Block64 = Block<2, 2, 2, 4, 4>;
using Block128 = Block<4, 2, 2, 8, 3>;

// What is multiplied: activations (rows, width) with one matrix, or with a gate and what it gates, of some number of outputs
// each.
template <class Format, int MATRICES>
struct Operands {
  Weights weights[MATRICES];
  const typename Format::Operand* input;
  int rows, width, outputs;
};

// What a step needs of a block's operands. Rows of activations have 64 bytes, which lie so that the eight lanes of one
// access phase, two rows of four, touch every bank once.
template <class Format, class Block>
struct alignas(16) Stage {
  typename Format::Operand activations[Block::ROWS * TILE_INPUTS];
  // All tiles, then all their scales.
  unsigned char weights[Block::TILES * (Format::TILE_BYTES + Format::TILE_SCALE_BYTES)];

  __device__ __forceinline__ unsigned char* scales() { return weights + Block::TILES * Format::TILE_BYTES; }
  __device__ __forceinline__ Weights tiles() { return {weights, scales()}; }
};

// Begins to copy a block's tiles of one step, BYTES of each; zeros past the last outputs.
template <class Block, int BYTES, int MATRICES>
__device__ __forceinline__ void fetch_tiles(const void* const (&from)[MATRICES], int outputs, int steps, int step,
                                            unsigned char* to) {
  constexpr int PIECES = BYTES / 16, ALL = Block::TILES * PIECES;
  const int tiles = (outputs + TILE_OUTPUTS - 1) / TILE_OUTPUTS;
#pragma unroll
  for (int begin = 0; begin < ALL; begin += Block::THREADS) {
    const int i = begin + threadIdx.x, tile = (blockIdx.x * Block::TILES + i / PIECES) / MATRICES;
    const bool is_there = tile < tiles;
    const void* matrix = i / PIECES % MATRICES ? from[MATRICES - 1] : from[0];
    const size_t at = (size_t(is_there ? tile : 0) * steps + step) * BYTES + i % PIECES * 16;
    if (ALL % Block::THREADS == 0 || i < ALL) {
      copy_async_16(to + i * 16, static_cast<const unsigned char*>(matrix) + at, is_there);
    }
  }
}

// Begins to copy the weights of one step.
template <class Format, class Block, int MATRICES>
__device__ __forceinline__ void fetch_weights(const Operands<Format, MATRICES>& operands, int step,
                                              Stage<Format, Block>& to) {
  const int steps = operands.width / TILE_INPUTS;
  const void *data[MATRICES], *scales[MATRICES];
#pragma unroll
  for (int i = 0; i < MATRICES; i++) data[i] = operands.weights[i].data, scales[i] = operands.weights[i].scales;
  fetch_tiles<Block, Format::TILE_BYTES>(data, operands.outputs, steps, step, to.weights);
  if constexpr (Format::TILE_SCALE_BYTES > 0) {
    fetch_tiles<Block, Format::TILE_SCALE_BYTES>(scales, operands.outputs, steps, step, to.scales());
  }
}

// Begins to copy the activations of one step; zeros for rows that are not there.
template <class Format, class Block, int MATRICES>
__device__ __forceinline__ void fetch_rows(const Operands<Format, MATRICES>& operands, int step,
                                           Stage<Format, Block>& to) {
  constexpr int PIECES = TILE_INPUTS / 8;
#pragma unroll
  for (int begin = 0; begin < Block::ROWS * PIECES; begin += Block::THREADS) {
    const int i = begin + threadIdx.x, row = blockIdx.y * Block::ROWS + i / PIECES;
    const bool is_there = row < operands.rows;
    const auto* from = operands.input + size_t(is_there ? row : 0) * operands.width + i % PIECES * 8;
    copy_async_16(to.activations + i * 8, from + step * TILE_INPUTS, is_there);
  }
}

// A warp's sums, spread over its lanes as the tensor cores leave them.
template <class Block>
using Sums = float[Block::OUTPUT_TILES][Block::ROW_TILES][4];

// Does something with each place of a warp's sums: `each(tile, column, i, row, output)`, the tile that of the first matrix.
template <class Block, int MATRICES, class Each>
__device__ __forceinline__ void for_each(const Each& each) {
  const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  const int first_tile = (blockIdx.x * Block::TILES + warp % Block::ACROSS * Block::OUTPUT_TILES) / MATRICES;
  const int first_row = blockIdx.y * Block::ROWS + warp / Block::ACROSS * Block::ROW_TILES * COLUMNS;
#pragma unroll
  for (int tile = 0; tile < Block::OUTPUT_TILES; tile += MATRICES) {
#pragma unroll
    for (int column = 0; column < Block::ROW_TILES; column++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        each(tile, column, i, first_row + column * COLUMNS + lane % 4 * 2 + i % 2,
             (first_tile + tile / MATRICES) * TILE_OUTPUTS + lane / 4 + i / 2 * 8);
      }
    }
  }
}

// Adds the products of one step to a warp's sums.
template <class Format, class Block>
__device__ __forceinline__ void add_step(Stage<Format, Block>& stage, Sums<Block>& sums) {
  const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  const int first_tile = warp % Block::ACROSS * Block::OUTPUT_TILES;
  const int first_row = warp / Block::ACROSS * Block::ROW_TILES * COLUMNS;
  uint32_t a[Block::OUTPUT_TILES][2][4];
#pragma unroll
  for (int tile = 0; tile < Block::OUTPUT_TILES; tile++) {
    Format::expand(Format::staged(stage.tiles(), first_tile + tile, lane), a[tile]);
  }
#pragma unroll
  for (int column = 0; column < Block::ROW_TILES; column++) {
    const int row = first_row + column * COLUMNS + lane / 4;
    const uint4 x = *reinterpret_cast<const uint4*>(stage.activations + row * TILE_INPUTS + lane % 4 * 8);
    const uint32_t b[2][2] = {{x.x, x.y}, {x.z, x.w}};
#pragma unroll
    for (int tile = 0; tile < Block::OUTPUT_TILES; tile++) {
      multiply_accumulate(sums[tile][column], a[tile][0], b[0], typename Format::Operand{});
      multiply_accumulate(sums[tile][column], a[tile][1], b[1], typename Format::Operand{});
    }
  }
}

// Goes through a range of slices, and hands over the sums of each: `done(slice, sums)`.
template <class Format, class Block, int MATRICES, class Done>
__device__ __forceinline__ void sum_slices(const Operands<Format, MATRICES>& operands, int slice, int last_slice,
                                           const Done& done) {
  SHARED(unsigned char, memory, Block::STAGES * sizeof(Stage<Format, Block>));
  auto* const stages = reinterpret_cast<Stage<Format, Block>*>(memory);
  const int steps = operands.width / TILE_INPUTS, first = slice_start(slice, steps), last = slice_start(last_slice, steps);
  constexpr int AHEAD = Block::STAGES - 1;
  // The weights of the first steps may come before what the launches before leave.
  for (int i = 0; i < AHEAD; i++) {
    if (first + i < last) fetch_weights(operands, first + i, stages[i]);
  }
  let_next_begin();
  wait_for_launches();
  // An empty group where there is no step, so that a group is a step all the same.
  for (int i = 0; i < AHEAD; i++) {
    if (first + i < last) fetch_rows(operands, first + i, stages[i]);
    copy_async_commit();
  }
  Sums<Block> sums = {};
  int step = first;
  for (; slice < last_slice; slice++) {
    for (const int end = slice_start(slice + 1, steps); step < end; step++) {
      copy_async_wait<AHEAD - 1>();
      // This step's operands are there for every warp, and every warp is done with those of the step before.
      __syncthreads();
      if (step + AHEAD < last) {
        auto& stage = stages[(step + AHEAD - first) % Block::STAGES];
        fetch_weights(operands, step + AHEAD, stage);
        fetch_rows(operands, step + AHEAD, stage);
      }
      copy_async_commit();
      add_step<Format, Block>(stages[(step - first) % Block::STAGES], sums);
    }
    done(slice, sums);
#pragma unroll
    for (int i = 0; i < Block::OUTPUT_TILES * Block::ROW_TILES * 4; i++) {
      sums[i / 4 / Block::ROW_TILES][i / 4 % Block::ROW_TILES][i % 4] = 0;
    }
  }
}

// The output. Grid (tiles of all matrices / TILES, rows / ROWS), both rounded up.
template <class Format, class Block, int MATRICES>
__device__ __forceinline__ void product(const Operands<Format, MATRICES>& operands, const Output& output) {
  Sums<Block> totals = {};
  sum_slices<Format, Block>(operands, 0, SLICES, [&](int, const Sums<Block>& sums) {
#pragma unroll
    for (int i = 0; i < Block::OUTPUT_TILES * Block::ROW_TILES * 4; i++) {
      const int tile = i / 4 / Block::ROW_TILES, column = i / 4 % Block::ROW_TILES;
      totals[tile][column][i % 4] += sums[tile][column][i % 4];
    }
  });
  for_each<Block, MATRICES>([&](int tile, int column, int i, int row, int at) {
    if (row >= operands.rows || at >= operands.outputs) return;
    float before = MATRICES > 1 ? totals[tile][column][i] : output.before(row, at);
    output.put(row, at, totals[tile + MATRICES - 1][column][i], before);
  });
}

// The sums of every slice: parts (SLICES, MATRICES, rows, outputs). Grid (tiles of all matrices / TILES, rows / ROWS, slices /
// those of a block), the first two rounded up.
template <class Format, class Block, int MATRICES>
__device__ __forceinline__ void product_parts(const Operands<Format, MATRICES>& operands, float* parts) {
  const int slices = SLICES / gridDim.z, first = blockIdx.z * slices;
  sum_slices<Format, Block>(operands, first, first + slices, [&](int slice, const Sums<Block>& sums) {
    for_each<Block, MATRICES>([&](int tile, int column, int i, int row, int at) {
      if (row >= operands.rows || at >= operands.outputs) return;
#pragma unroll
      for (int matrix = 0; matrix < MATRICES; matrix++) {
        size_t part = (size_t(slice) * MATRICES + matrix) * operands.rows + row;
        parts[part * operands.outputs + at] = sums[tile + matrix][column][i];
      }
    });
  });
}

constexpr int JOIN_THREADS = 128;

// The output from the sums of every slice. Grid (outputs / JOIN_THREADS rounded up, rows).
template <int MATRICES>
__device__ __forceinline__ void join_parts(const float* parts, const Output& output) {
  let_next_begin();
  wait_for_launches();
  const int at = blockIdx.x * JOIN_THREADS + threadIdx.x, row = blockIdx.y;
  if (at >= output.count) return;
  float totals[MATRICES] = {};
#pragma unroll
  for (int i = 0; i < SLICES * MATRICES; i++) {
    totals[i % MATRICES] += parts[(size_t(i) * gridDim.y + row) * output.count + at];
  }
  output.put(row, at, totals[MATRICES - 1], MATRICES > 1 ? totals[0] : output.before(row, at));
}

#define JOIN(MATRICES, name)                                                                                        \
  KERNEL(JOIN_THREADS)                                                                                              \
  name(const float* parts, float* output, void* operand, int outputs, int stride, int then) {                      \
    join_parts<MATRICES>(parts, {output, operand, stride, outputs, then});                                          \
  }                                                                                                                 \
  REGISTER(name, JOIN_THREADS)

JOIN(1, product_join)
JOIN(2, gated_join)

#define ONE {{data, scales}}
#define TWO {{data, scales}, {up_data, up_scales}}

// Registers are for sums: a block of the wider kind has a multiprocessor to itself.
#define PRODUCT(Format, Block, name)                                                                                \
  KERNEL_RESIDENT(Block::THREADS, 1)                                                                                \
  product_many_##name(const void* data, const void* scales, const Format::Operand* input, KERNEL_OUTPUT) {          \
    product<Format, Block, 1>({ONE, input, rows, width, outputs}, OUTPUT);                                          \
  }                                                                                                                 \
  REGISTER(product_many_##name, Block::THREADS)                                                                     \
  KERNEL_RESIDENT(Block::THREADS, 1)                                                                                \
  gated_many_##name(const void* data, const void* scales, const void* up_data, const void* up_scales,               \
                    const Format::Operand* input, KERNEL_OUTPUT) {                                                  \
    product<Format, Block, 2>({TWO, input, rows, width, outputs}, OUTPUT);                                          \
  }                                                                                                                 \
  REGISTER(gated_many_##name, Block::THREADS)                                                                       \
  KERNEL_RESIDENT(Block::THREADS, 1)                                                                                \
  product_parts_##name(const void* data, const void* scales, const Format::Operand* input, float* parts, int rows,  \
                       int width, int outputs) {                                                                    \
    product_parts<Format, Block, 1>({ONE, input, rows, width, outputs}, parts);                                     \
  }                                                                                                                 \
  REGISTER(product_parts_##name, Block::THREADS)                                                                    \
  KERNEL_RESIDENT(Block::THREADS, 1)                                                                                \
  gated_parts_##name(const void* data, const void* scales, const void* up_data, const void* up_scales,              \
                     const Format::Operand* input, float* parts, int rows, int width, int outputs) {                \
    product_parts<Format, Block, 2>({TWO, input, rows, width, outputs}, parts);                                     \
  }                                                                                                                 \
  REGISTER(gated_parts_##name, Block::THREADS)

#define PRODUCTS(Format, name)            \
  PRODUCT(Format, Block64, name##_64)     \
  PRODUCT(Format, Block128, name##_128)

PRODUCTS(F16, f16)
PRODUCTS(Bf16, bf16)
PRODUCTS(Int8, int8)
PRODUCTS(Int4, int4)

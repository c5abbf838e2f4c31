// Causal attention over the paged cache, on the tensor cores: online softmax over blocks of 16 tokens (Milakov and
// Gimelshein, 2018; Dao and others, FlashAttention, 2022), the context split at fixed places.
//
// Query heads that share a key/value head are vectors side by side: vector v of a sequence's rows is head v % group of row
// v / group, and a warp takes up to 16 vectors. A vector's result depends on its context alone: splits begin at multiples
// of SPLIT_TOKENS, each is summed block by block, and they are joined from the first to the last, whether a warp does
// all of it (prompts) or a warp has a split of its own (a few tokens after long contexts). Masked tokens add zeros.
#include "cache.cuh"

constexpr int ATTEND_THREADS = WARP;
constexpr int COMBINE_THREADS = 128;
// Vectors of one warp: the rows of the tensor cores' left operand.
constexpr int VECTORS = 16;
constexpr int SPLIT_TOKENS = 128;

// The score of a token that is not there.
__device__ __forceinline__ float nothing() { return __uint_as_float(0xff800000); }

// What one warp attends with, by the launch's first coordinate.
struct Tile {
  // The sequence's first row in the batch, and that row's position.
  uint32_t first_row, start;
  // Where the sequence's blocks begin in the list of all.
  uint32_t table;
  // The tile's vectors among the sequence's.
  uint32_t first_vector, vectors;
};

// What a launch attends to.
struct Context {
  const float* qkv;
  const half_t* keys;
  const half_t* values;
  const uint32_t* tables;
  int heads, kv_heads;
};

__device__ __forceinline__ Tile tile_at(const uint32_t* tiles, int index) {
  const uint32_t* tile = tiles + size_t(index) * 5;
  return {tile[0], tile[1], tile[2], tile[3], tile[4]};
}

// Two of the 16 vectors are a lane's: the vectors g and g + 8, g = lane / 4.
struct Softmax {
  // The greatest score so far, and the sum of 2^(score - greatest) over this lane's columns.
  float greatest[2];
  float sum[2];
};

// Joins the weighted mean of more tokens to what is there: both as (greatest, sum, weighted sum).
__device__ __forceinline__ void join(float& greatest, float& sum, float more_greatest, float more_sum, float& scale,
                                     float& more_scale) {
  float both = fmaxf(greatest, more_greatest);
  // Nothing joined to nothing.
  float base = both == nothing() ? 0 : both;
  scale = exp2_approximate(greatest - base);
  more_scale = exp2_approximate(more_greatest - base);
  sum = fmaf(sum, scale, more_sum * more_scale);
  greatest = both;
}

// A row's place in the batch and its position.
__device__ __forceinline__ uint32_t token_of(const Tile& tile, int vector, int group) {
  return (tile.first_vector + vector) / group;
}
// The query head of a vector, among those of its key/value head.
__device__ __forceinline__ int head_of(const Tile& tile, int vector, int group) {
  return (tile.first_vector + vector) % group;
}

// The left operands of queries · keys: vectors g and g + 8, scaled so that a power of 2 is the softmax's.
template <int D>
__device__ __forceinline__ void load_queries(const Context& context, const Tile& tile, uint32_t (&queries)[D / 32][2][4]) {
  const int lane = threadIdx.x, group = context.heads / context.kv_heads;
  constexpr float LOG2_E = 1.44269504f;
  const float scale = LOG2_E / sqrtf(float(D));
  const size_t width = size_t(context.heads + 2 * context.kv_heads) * D;
#pragma unroll
  for (int vector = 0; vector < 2; vector++) {
    int v = lane / 4 + vector * 8;
    const float* from = nullptr;
    if (v < int(tile.vectors)) {
      size_t row = tile.first_row + token_of(tile, v, group);
      from = context.qkv + row * width + size_t(blockIdx.y * group + head_of(tile, v, group)) * D + lane % 4 * 8;
    }
#pragma unroll
    for (int chunk = 0; chunk < D / 32; chunk++) {
      float4 x[2] = {};
      if (from) {
        x[0] = *reinterpret_cast<const float4*>(from + chunk * 32);
        x[1] = *reinterpret_cast<const float4*>(from + chunk * 32 + 4);
      }
#pragma unroll
      for (int i = 0; i < 2; i++) {
        queries[chunk][i][vector] = pack<half_t>(x[i].x * scale, x[i].y * scale);
        queries[chunk][i][2 + vector] = pack<half_t>(x[i].z * scale, x[i].w * scale);
      }
    }
  }
}

// Scores of the 16 vectors with a block's tokens. Column c of half h of the result is token 4 (c / 2) + c % 2 + 2h, so
// that a lane ends up with four tokens that follow one another.
template <int D>
__device__ __forceinline__ void score(const half_t* keys, const uint32_t (&queries)[D / 32][2][4], float (&scores)[2][4]) {
  const int lane = threadIdx.x, column = lane / 4;
#pragma unroll
  for (int half = 0; half < 2; half++) {
#pragma unroll
    for (int i = 0; i < 4; i++) scores[half][i] = 0;
    const half_t* key = keys + (column / 2 * 4 + column % 2 + half * 2) * D + lane % 4 * 8;
#pragma unroll
    for (int chunk = 0; chunk < D / 32; chunk++) {
      uint4 x = *reinterpret_cast<const uint4*>(key + chunk * 32);
      const uint32_t b[2][2] = {{x.x, x.y}, {x.z, x.w}};
      multiply_accumulate(scores[half], queries[chunk][0], b[0], half_t{});
      multiply_accumulate(scores[half], queries[chunk][1], b[1], half_t{});
    }
  }
}

// Turns scores of the tokens from `first` into weights, tokens past each vector's position into 0, and scales what was
// summed before to the new greatest.
template <int D>
__device__ __forceinline__ void weigh(float (&scores)[2][4], uint32_t first, const uint32_t (&positions)[2],
                                      Softmax& softmax, float (&sums)[D / 8][4]) {
  const int lane = threadIdx.x;
#pragma unroll
  for (int vector = 0; vector < 2; vector++) {
    float greatest = softmax.greatest[vector];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      float& x = scores[i / 2][vector * 2 + i % 2];
      if (first + lane % 4 * 4 + i > positions[vector]) x = nothing();
      greatest = fmaxf(greatest, x);
    }
    greatest = fmaxf(greatest, __shfl_xor_sync(~0u, greatest, 1));
    greatest = fmaxf(greatest, __shfl_xor_sync(~0u, greatest, 2));
    float base = greatest == nothing() ? 0 : greatest;
    float scale = exp2_approximate(softmax.greatest[vector] - base), sum = 0;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      float& x = scores[i / 2][vector * 2 + i % 2];
      x = exp2_approximate(x - base);
      sum += x;
    }
    softmax.greatest[vector] = greatest;
    softmax.sum[vector] = fmaf(softmax.sum[vector], scale, sum);
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
      sums[n][vector * 2] *= scale;
      sums[n][vector * 2 + 1] *= scale;
    }
  }
}

// Adds the weighted values of a block.
template <int D>
__device__ __forceinline__ void mix(const half_t* values, const float (&weights)[2][4], float (&sums)[D / 8][4]) {
  const int lane = threadIdx.x;
  const uint32_t a[4] = {pack<half_t>(weights[0][0], weights[0][1]), pack<half_t>(weights[0][2], weights[0][3]),
                         pack<half_t>(weights[1][0], weights[1][1]), pack<half_t>(weights[1][2], weights[1][3])};
#pragma unroll
  for (int n = 0; n < D / 8; n++) {
    uint2 x = *reinterpret_cast<const uint2*>(values + (n * 8 + lane / 4) * BLOCK_TOKENS + lane % 4 * 4);
    const uint32_t b[2] = {x.x, x.y};
    multiply_accumulate(sums[n], a, b, half_t{});
  }
}

// One split's tokens, up to the one before `end`: the lane's part of softmax and weighted sums.
template <int D>
__device__ __forceinline__ void attend_split(const Context& context, const Tile& tile, uint32_t split, uint32_t end,
                                             const uint32_t (&positions)[2], const uint32_t (&queries)[D / 32][2][4],
                                             Softmax& softmax, float (&sums)[D / 8][4]) {
#pragma unroll
  for (int n = 0; n < D / 8; n++) {
#pragma unroll
    for (int i = 0; i < 4; i++) sums[n][i] = 0;
  }
  softmax = {{nothing(), nothing()}, {0, 0}};
  uint32_t last = min((split + 1) * SPLIT_TOKENS, end);
  for (uint32_t first = split * SPLIT_TOKENS; first < last; first += BLOCK_TOKENS) {
    size_t block = context.tables[tile.table + first / BLOCK_TOKENS];
    size_t at = (block * context.kv_heads + blockIdx.y) * BLOCK_TOKENS * D;
    float scores[2][4];
    score<D>(context.keys + at, queries, scores);
    weigh<D>(scores, first, positions, softmax, sums);
    mix<D>(context.values + at, scores, sums);
  }
#pragma unroll
  for (int vector = 0; vector < 2; vector++) {
    softmax.sum[vector] += __shfl_xor_sync(~0u, softmax.sum[vector], 1);
    softmax.sum[vector] += __shfl_xor_sync(~0u, softmax.sum[vector], 2);
  }
}

// Where a split's result lies: (tiles, kv_heads, splits, vectors) of D + 2 floats: weighted sums, greatest, sum.
template <int D>
__device__ __forceinline__ float* part_at(float* parts, int vectors, int splits, int split, int vector) {
  size_t index = (size_t(blockIdx.x) * gridDim.y + blockIdx.y) * splits + split;
  return parts + (index * vectors + vector) * (D + 2);
}

// A vector's place in the output (rows, heads * D).
template <int D>
__device__ __forceinline__ float* output_at(float* output, const Context& context, const Tile& tile, int vector) {
  int group = context.heads / context.kv_heads;
  size_t row = tile.first_row + token_of(tile, vector, group);
  return output + (row * context.heads + blockIdx.y * group + head_of(tile, vector, group)) * D;
}

// Attention of one tile and key/value head. Grid (tiles, kv_heads, splits) writes parts, room for `part_vectors` vectors a
// tile, to be combined; grid (tiles, kv_heads, 1) and no parts writes the output.
template <int D>
__device__ __forceinline__ void attend(const Context& context, const uint32_t* tiles, float* output, float* parts,
                                       int part_vectors) {
  const Tile tile = tile_at(tiles, blockIdx.x);
  const int lane = threadIdx.x, group = context.heads / context.kv_heads;
  uint32_t positions[2];
#pragma unroll
  for (int vector = 0; vector < 2; vector++) {
    // Vectors that are not there attend to what the last one does.
    int v = min(lane / 4 + vector * 8, int(tile.vectors) - 1);
    positions[vector] = tile.start + token_of(tile, v, group);
  }
  const uint32_t end = tile.start + token_of(tile, tile.vectors - 1, group) + 1;
  const uint32_t splits = (end + SPLIT_TOKENS - 1) / SPLIT_TOKENS;
  uint32_t queries[D / 32][2][4];
  if (parts && blockIdx.z >= splits) return;
  load_queries<D>(context, tile, queries);
  Softmax softmax;
  float sums[D / 8][4];
  if (parts) {
    attend_split<D>(context, tile, blockIdx.z, end, positions, queries, softmax, sums);
#pragma unroll
    for (int vector = 0; vector < 2; vector++) {
      int v = lane / 4 + vector * 8;
      if (v >= int(tile.vectors)) continue;
      float* part = part_at<D>(parts, part_vectors, gridDim.z, blockIdx.z, v);
#pragma unroll
      for (int n = 0; n < D / 8; n++) {
        part[n * 8 + lane % 4 * 2] = sums[n][vector * 2];
        part[n * 8 + lane % 4 * 2 + 1] = sums[n][vector * 2 + 1];
      }
      if (lane % 4 == 0) {
        part[D] = softmax.greatest[vector];
        part[D + 1] = softmax.sum[vector];
      }
    }
    return;
  }
  Softmax whole = {{nothing(), nothing()}, {0, 0}};
  float totals[D / 8][4] = {};
  for (uint32_t split = 0; split < splits; split++) {
    attend_split<D>(context, tile, split, end, positions, queries, softmax, sums);
#pragma unroll
    for (int vector = 0; vector < 2; vector++) {
      float scale, more_scale;
      join(whole.greatest[vector], whole.sum[vector], softmax.greatest[vector], softmax.sum[vector], scale, more_scale);
#pragma unroll
      for (int n = 0; n < D / 8; n++) {
#pragma unroll
        for (int i = vector * 2; i < vector * 2 + 2; i++) {
          totals[n][i] = fmaf(totals[n][i], scale, sums[n][i] * more_scale);
        }
      }
    }
  }
#pragma unroll
  for (int vector = 0; vector < 2; vector++) {
    int v = lane / 4 + vector * 8;
    if (v >= int(tile.vectors)) continue;
    float* to = output_at<D>(output, context, tile, v) + lane % 4 * 2;
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
      to[n * 8] = totals[n][vector * 2] / whole.sum[vector];
      to[n * 8 + 1] = totals[n][vector * 2 + 1] / whole.sum[vector];
    }
  }
}

// Joins the parts of each vector. Grid (tiles, kv_heads).
template <int D>
__device__ __forceinline__ void combine(const Context& context, const uint32_t* tiles, float* parts, float* output,
                                        int part_vectors, int splits_max) {
  const Tile tile = tile_at(tiles, blockIdx.x);
  const int group = context.heads / context.kv_heads;
  const uint32_t end = tile.start + token_of(tile, tile.vectors - 1, group) + 1;
  const uint32_t splits = (end + SPLIT_TOKENS - 1) / SPLIT_TOKENS;
  for (int i = threadIdx.x; i < int(tile.vectors) * D; i += COMBINE_THREADS) {
    int vector = i / D, element = i % D;
    float greatest = nothing(), sum = 0, total = 0;
    for (uint32_t split = 0; split < splits; split++) {
      const float* part = part_at<D>(parts, part_vectors, splits_max, split, vector);
      float scale, more_scale;
      join(greatest, sum, part[D], part[D + 1], scale, more_scale);
      total = fmaf(total, scale, part[element] * more_scale);
    }
    output_at<D>(output, context, tile, vector)[element] = total / sum;
  }
}

#define ATTEND(D, attend_name, combine_name)                                                                        \
  KERNEL(ATTEND_THREADS)                                                                                            \
  attend_name(const float* qkv, const half_t* keys, const half_t* values, const uint32_t* tables,                   \
              const uint32_t* tiles, float* output, float* parts, int part_vectors, int heads, int kv_heads) {      \
    attend<D>({qkv, keys, values, tables, heads, kv_heads}, tiles, output, parts, part_vectors);                    \
  }                                                                                                                 \
  REGISTER(attend_name, ATTEND_THREADS)                                                                             \
  KERNEL(COMBINE_THREADS)                                                                                           \
  combine_name(const uint32_t* tiles, float* parts, float* output, int part_vectors, int splits_max, int heads,     \
               int kv_heads) {                                                                                      \
    combine<D>({nullptr, nullptr, nullptr, nullptr, heads, kv_heads}, tiles, parts, output, part_vectors, splits_max); \
  }                                                                                                                 \
  REGISTER(combine_name, COMBINE_THREADS)

ATTEND(32, attend_32, combine_32)
ATTEND(64, attend_64, combine_64)
ATTEND(96, attend_96, combine_96)
ATTEND(128, attend_128, combine_128)

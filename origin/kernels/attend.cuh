// The parts of attention: tiles of query vectors, and how they go through a context block by block.
#pragma once
#include "heads.cuh"

// Vectors of one warp: the rows of the tensor cores' left operand.
constexpr int VECTORS = 16;
constexpr int SPLIT_TOKENS = 128;
constexpr int SPLIT_BLOCKS = SPLIT_TOKENS / BLOCK_TOKENS;
// Blocks of the cache that are in shared memory or on their way there.
constexpr int STAGES = 4;

// Elements of a head are multiplied 32 at a time, the last ones with zeros where a head is no multiple of that.
template <int D>
constexpr int CHUNKS = (D + 31) / 32;

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

  // The token and the query head of a vector, among those of the sequence and of the key/value head.
  __device__ __forceinline__ uint32_t token(int vector, int group) const { return (first_vector + vector) / group; }
  __device__ __forceinline__ int head(int vector, int group) const { return (first_vector + vector) % group; }
};

__device__ __forceinline__ Tile tile_at(const uint32_t* tiles, int index) {
  const uint32_t* tile = tiles + size_t(index) * 5;
  return {tile[0], tile[1], tile[2], tile[3], tile[4]};
}

// The paged cache, and every sequence's blocks in it.
struct Cache {
  half_t* keys;
  half_t* values;
  const uint32_t* tables;
};

// A mean of C columns of the values, weighted by 2^score, while tokens join it. Two of the 16 vectors are a lane's: the
// vectors g and g + 8, g = lane / 4.
template <int C>
struct Mean {
  // The greatest score so far, and the sum of 2^(score - greatest).
  float greatest[2];
  float sum[2];
  // The weighted sum of values, as the tensor cores leave it: columns 2q and 2q + 1 of each 8, q = lane % 4.
  float values[C / 8][4];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int vector = 0; vector < 2; vector++) greatest[vector] = nothing(), sum[vector] = 0;
#pragma unroll
    for (int n = 0; n < C / 8; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) values[n][i] = 0;
    }
  }
};

// Joins two means, both as (greatest, sum, weighted sum), and says what their weighted sums are multiplied by.
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

template <int C>
__device__ __forceinline__ void join(Mean<C>& mean, const Mean<C>& more) {
#pragma unroll
  for (int vector = 0; vector < 2; vector++) {
    float scale, more_scale;
    join(mean.greatest[vector], mean.sum[vector], more.greatest[vector], more.sum[vector], scale, more_scale);
#pragma unroll
    for (int n = 0; n < C / 8; n++) {
#pragma unroll
      for (int i = vector * 2; i < vector * 2 + 2; i++) {
        mean.values[n][i] = fmaf(mean.values[n][i], scale, more.values[n][i] * more_scale);
      }
    }
  }
}

// The left operands of queries · keys: vectors g and g + 8, scaled so that a power of 2 is the softmax's.
template <int D>
__device__ __forceinline__ void load_queries(const Projections& from, const Tile& tile, int kv_head,
                                             uint32_t (&queries)[CHUNKS<D>][2][4]) {
  constexpr float LOG2_E = 1.44269504f;
  const float scale = LOG2_E / sqrtf(float(D));
  const int lane = threadIdx.x, group = from.heads / from.kv_heads;
  auto head = [&](int v) {
    return from.query(tile.first_row + tile.token(v, group), kv_head * group + tile.head(v, group), D);
  };
  float factors[2] = {1, 1};
  for (int v = 0; from.query_norm && v < int(tile.vectors); v++) {
    float factor = Projections::factor(head(v), D, from.query_epsilon);
    if (v == lane / 4) factors[0] = factor;
    if (v == lane / 4 + 8) factors[1] = factor;
  }
#pragma unroll
  for (int vector = 0; vector < 2; vector++) {
    const int v = lane / 4 + vector * 8;
    const bool is_there = v < int(tile.vectors);
    Head query = head(is_there ? v : 0);
    query.factor = factors[vector];
    const size_t angles = size_t(tile.start + tile.token(is_there ? v : 0, group)) * (D / 2);
#pragma unroll
    for (int chunk = 0; chunk < CHUNKS<D>; chunk++) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float4 x = {0, 0, 0, 0};
        const int at = chunk * 32 + lane % 4 * 8 + i * 4;
        if (is_there && (D % 32 == 0 || at < D)) x = query.rotated(at, D / 2, from.cosines + angles, from.sines + angles);
        queries[chunk][i][vector] = pack<half_t>(x.x * scale, x.y * scale);
        queries[chunk][i][2 + vector] = pack<half_t>(x.z * scale, x.w * scale);
      }
    }
  }
}

// Blocks of the cache on their way through shared memory, a warp's own: their keys, and C columns of their values.
template <int D, int C>
struct Stages {
  static constexpr int KEYS = BLOCK_TOKENS * D;
  static constexpr int STAGE = KEYS + BLOCK_TOKENS * C;
  // (STAGES, STAGE): keys, then values.
  half_t* halves;

  // Where a token's rows are a multiple of 128 bytes apart, those of odd tokens have their 64 bytes the other way round, so
  // that two tokens that are read at once lie in different banks.
  static __device__ __forceinline__ int swizzle(int token) { return D % 64 == 0 ? token % 2 * 4 : 0; }

  __device__ __forceinline__ half_t* keys(int stage) const { return halves + stage * STAGE; }
  __device__ __forceinline__ half_t* values(int stage) const { return keys(stage) + KEYS; }

  // Begins to copy a block of one head, whose keys and values begin at `first`: the values' columns from `column` on.
  __device__ __forceinline__ void fetch(const Cache& cache, size_t first, int column, int stage) const {
    const half_t* from = cache.values + first + column * BLOCK_TOKENS;
#pragma unroll
    for (int i = 0; i < D / 16; i++) {
      int piece = i * WARP + threadIdx.x, token = piece / (D / 8);
      int to = token * (D / 8) + (piece % (D / 8) ^ swizzle(token));
      copy_async_16(keys(stage) + to * 8, cache.keys + first + piece * 8, true);
      if (i < C / 16) copy_async_16(values(stage) + piece * 8, from + piece * 8, true);
    }
  }
};

// Scores of the 16 vectors with a block's tokens. Column c of half h of the result is token 4 (c / 2) + c % 2 + 2h, so
// that a lane ends up with four tokens that follow one another.
template <int D>
__device__ __forceinline__ void score(const half_t* keys, const uint32_t (&queries)[CHUNKS<D>][2][4], float (&scores)[2][4]) {
  const int lane = threadIdx.x, column = lane / 4;
#pragma unroll
  for (int half = 0; half < 2; half++) {
#pragma unroll
    for (int i = 0; i < 4; i++) scores[half][i] = 0;
    const int token = column / 2 * 4 + column % 2 + half * 2;
#pragma unroll
    for (int chunk = 0; chunk < CHUNKS<D>; chunk++) {
      const int piece = chunk * 4 + lane % 4;
      uint4 x = {0, 0, 0, 0};
      if (D % 32 == 0 || piece < D / 8) {
        x = *reinterpret_cast<const uint4*>(keys + token * D + (piece ^ Stages<D, D>::swizzle(token)) * 8);
      }
      const uint32_t b[2][2] = {{x.x, x.y}, {x.z, x.w}};
      multiply_accumulate(scores[half], queries[chunk][0], b[0], half_t{});
      multiply_accumulate(scores[half], queries[chunk][1], b[1], half_t{});
    }
  }
}

// Turns scores of the tokens from `first` into weights, tokens past each vector's position into 0, and scales what was
// summed before to the new greatest.
template <int C>
__device__ __forceinline__ void weigh(float (&scores)[2][4], uint32_t first, const uint32_t (&positions)[2],
                                      Mean<C>& mean) {
  const int lane = threadIdx.x;
#pragma unroll
  for (int vector = 0; vector < 2; vector++) {
    float greatest = mean.greatest[vector];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      float& x = scores[i / 2][vector * 2 + i % 2];
      if (first + lane % 4 * 4 + i > positions[vector]) x = nothing();
      greatest = fmaxf(greatest, x);
    }
    greatest = fmaxf(greatest, __shfl_xor_sync(~0u, greatest, 1));
    greatest = fmaxf(greatest, __shfl_xor_sync(~0u, greatest, 2));
    float base = greatest == nothing() ? 0 : greatest;
    float scale = exp2_approximate(mean.greatest[vector] - base), sum = 0;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      float& x = scores[i / 2][vector * 2 + i % 2];
      x = exp2_approximate(x - base);
      sum += x;
    }
    mean.greatest[vector] = greatest;
    mean.sum[vector] = fmaf(mean.sum[vector], scale, sum);
#pragma unroll
    for (int n = 0; n < C / 8; n++) {
      mean.values[n][vector * 2] *= scale;
      mean.values[n][vector * 2 + 1] *= scale;
    }
  }
}

// Adds the weighted values of a block.
template <int C>
__device__ __forceinline__ void mix(const half_t* values, const float (&weights)[2][4], Mean<C>& mean) {
  const int lane = threadIdx.x;
  const uint32_t a[4] = {pack<half_t>(weights[0][0], weights[0][1]), pack<half_t>(weights[0][2], weights[0][3]),
                         pack<half_t>(weights[1][0], weights[1][1]), pack<half_t>(weights[1][2], weights[1][3])};
#pragma unroll
  for (int n = 0; n < C / 8; n++) {
    uint2 x = *reinterpret_cast<const uint2*>(values + (n * 8 + lane / 4) * BLOCK_TOKENS + lane % 4 * 4);
    const uint32_t b[2] = {x.x, x.y};
    multiply_accumulate(mean.values[n], a, b, half_t{});
  }
}

// Heads on their way from the projections to attention: biases, norms over heads, rotary position embedding, and the way of
// keys and values into the cache. A warp prepares a head, a lane four elements of every 128.
#pragma once
#include "cache.cuh"

constexpr int LANE_ELEMENTS = 4;
constexpr int WARP_ELEMENTS = WARP * LANE_ELEMENTS;
constexpr float HALF_MAX = 65504.0f;

// The nearest finite half: an infinity in the cache would spoil every later use of its block, masked or not.
__device__ __forceinline__ float finite(float value) { return fminf(fmaxf(value, -HALF_MAX), HALF_MAX); }

__device__ __forceinline__ float4 load_four(const float* from) { return *reinterpret_cast<const float4*>(from); }

// One head of one row.
struct Head {
  const float* from;
  // (head_dim) each, or null.
  const float* bias;
  const float* norm;
  // What the norm multiplies with beside its weights.
  float factor;

  // Four elements from i on with their bias.
  __device__ __forceinline__ float4 biased(int i) const {
    float4 x = load_four(from + i);
    if (!bias) return x;
    float4 by = load_four(bias + i);
    return {x.x + by.x, x.y + by.y, x.z + by.z, x.w + by.w};
  }

  // The same normalised.
  __device__ __forceinline__ float4 normalised(int i) const {
    float4 x = biased(i);
    if (!norm) return x;
    float4 by = load_four(norm + i);
    return {x.x * (factor * by.x), x.y * (factor * by.y), x.z * (factor * by.z), x.w * (factor * by.w)};
  }

  // The same rotated by the angles of a position, (head_dim / 2): an element of the head's first half with the one of the
  // second half.
  __device__ __forceinline__ float4 rotated(int i, int half, const float* cosines, const float* sines) const {
    const bool is_first = i < half;
    const int angle = is_first ? i : i - half;
    float4 x = normalised(i), y = normalised(is_first ? i + half : angle);
    float4 cosine = load_four(cosines + angle), sine = load_four(sines + angle);
    if (is_first) sine = {-sine.x, -sine.y, -sine.z, -sine.w};
    return {x.x * cosine.x + y.x * sine.x, x.y * cosine.y + y.y * sine.y, x.z * cosine.z + y.z * sine.z,
            x.w * cosine.w + y.w * sine.w};
  }
};

// The projections of all rows, and what makes their heads ready.
struct Projections {
  // (rows, (heads + 2 kv_heads) * head_dim).
  const float* qkv;
  // (heads * head_dim) and (kv_heads * head_dim) twice, then (head_dim) twice; or null.
  const float* query_bias;
  const float* key_bias;
  const float* value_bias;
  const float* query_norm;
  const float* key_norm;
  float query_epsilon, key_epsilon;
  // (positions, head_dim / 2).
  const float* cosines;
  const float* sines;
  int heads, kv_heads;

  __device__ __forceinline__ const float* row(size_t row, int head_dim) const {
    return qkv + row * (heads + 2 * kv_heads) * head_dim;
  }

  // 1 / the root mean square of a head; all lanes of the warp are here.
  static __device__ __forceinline__ float factor(const Head& head, int head_dim, float epsilon) {
    float sum = 0;
    for (int i = threadIdx.x % WARP * LANE_ELEMENTS; i < head_dim; i += WARP_ELEMENTS) {
      float4 x = head.biased(i);
      sum += fmaf(x.w, x.w, fmaf(x.z, x.z, fmaf(x.y, x.y, x.x * x.x)));
    }
    return rsqrt_approximate(warp_sum(sum) / float(head_dim) + epsilon);
  }

  // A query head; its factor, where there is a norm, is still to come.
  __device__ __forceinline__ Head query(size_t row, int head, int head_dim) const {
    const size_t at = size_t(head) * head_dim;
    return {this->row(row, head_dim) + at, query_bias ? query_bias + at : nullptr, query_norm, 1};
  }

  // The key and the value of a row's head go to their place in the cache's block.
  __device__ __forceinline__ void remember(size_t row, uint32_t position, size_t block, int head, int head_dim,
                                           half_t* keys, half_t* values) const {
    const int half = head_dim / 2, place = position % BLOCK_TOKENS;
    const size_t at = size_t(head) * head_dim;
    const float* from = this->row(row, head_dim) + size_t(heads) * head_dim + at;
    Head key = {from, key_bias ? key_bias + at : nullptr, key_norm, 1};
    const Head value = {from + size_t(kv_heads) * head_dim, value_bias ? value_bias + at : nullptr, nullptr, 1};
    if (key_norm) key.factor = factor(key, head_dim, key_epsilon);
    const size_t first = (block * kv_heads + head) * BLOCK_TOKENS * head_dim;
    for (int i = threadIdx.x % WARP * LANE_ELEMENTS; i < head_dim; i += WARP_ELEMENTS) {
      float4 k = key.rotated(i, half, cosines + size_t(position) * half, sines + size_t(position) * half);
      *reinterpret_cast<uint2*>(keys + first + place * head_dim + i) = {
          pack<half_t>(finite(k.x), finite(k.y)), pack<half_t>(finite(k.z), finite(k.w))};
      float4 v = value.biased(i);
      half_t* to = values + first + size_t(i) * BLOCK_TOKENS + place;
      from_float(to[0], finite(v.x));
      from_float(to[BLOCK_TOKENS], finite(v.y));
      from_float(to[2 * BLOCK_TOKENS], finite(v.z));
      from_float(to[3 * BLOCK_TOKENS], finite(v.w));
    }
  }
};

// The projections' part of a kernel's parameters.
#define KERNEL_PROJECTIONS                                                                                             \
  const float *qkv, const float *query_bias, const float *key_bias, const float *value_bias, const float *query_norm, \
      const float *key_norm, float query_epsilon, float key_epsilon, const float *cosines, const float *sines,         \
      int heads, int kv_heads
#define PROJECTIONS                                                                                              \
  {qkv, query_bias, key_bias, value_bias, query_norm, key_norm, query_epsilon, key_epsilon, cosines, sines, heads, \
   kv_heads}

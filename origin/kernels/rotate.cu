// Between the projections and attention: biases, norms over heads, rotary position embedding, and the way of keys and
// values into the cache.
#include "cache.cuh"

constexpr int ROTATE_THREADS = 128;
// The widest head, and its elements in one lane.
constexpr int HEAD_DIM_MAX = 256;
constexpr int LANE_ELEMENTS = HEAD_DIM_MAX / WARP;
constexpr float HALF_MAX = 65504.0f;

// The nearest finite half: an infinity in the cache would spoil every later use of its block, masked or not.
__device__ __forceinline__ half_t finite(float value) {
  half_t half;
  from_float(half, fminf(fmaxf(value, -HALF_MAX), HALF_MAX));
  return half;
}

// Makes row blockIdx.x of qkv (rows, (heads + 2 kv_heads) * head_dim) ready, a warp a head: queries stay where they are,
// rotated; keys, rotated, and values go to the cache at the row's slot (block * 16 + place). Biases, (heads * head_dim) and
// (kv_heads * head_dim) twice, and norms, (head_dim), may be null. cosines and sines: (positions, head_dim / 2).
KERNEL(ROTATE_THREADS)
rotate(float* qkv, const float* query_bias, const float* key_bias, const float* value_bias, const float* query_norm,
       const float* key_norm, float query_epsilon, float key_epsilon, const float* cosines, const float* sines, const uint32_t* positions, const uint32_t* slots,
       half_t* keys, half_t* values, int heads, int kv_heads, int head_dim) {
  const int row = blockIdx.x, lane = threadIdx.x % WARP, half = head_dim / 2;
  const size_t width = size_t(heads + 2 * kv_heads) * head_dim;
  const float* cosine = cosines + size_t(positions[row]) * half;
  const float* sine = sines + size_t(positions[row]) * half;
  const size_t block = slots[row] / BLOCK_TOKENS, place = slots[row] % BLOCK_TOKENS;
  for (int head = threadIdx.x / WARP; head < heads + 2 * kv_heads; head += ROTATE_THREADS / WARP) {
    float* from = qkv + row * width + size_t(head) * head_dim;
    const bool is_query = head < heads, is_value = head >= heads + kv_heads;
    // The head among those of its kind, and its bias.
    const size_t index = is_value ? head - heads - kv_heads : is_query ? head : head - heads;
    const float* bias = is_value ? value_bias : is_query ? query_bias : key_bias;
    // The lane's elements: i of the first half and i of the second, for i = lane, lane + 32, …
    float x[LANE_ELEMENTS];
    float sum = 0;
#pragma unroll
    for (int n = 0; n < LANE_ELEMENTS; n++) {
      int i = n / 2 * WARP + lane, at = i + n % 2 * half;
      x[n] = i < half ? from[at] + (bias ? bias[index * head_dim + at] : 0) : 0;
      sum = fmaf(x[n], x[n], sum);
    }
    const float* norm = is_value ? nullptr : is_query ? query_norm : key_norm;
    float factor = 1;
    if (norm) factor = rsqrt_approximate(warp_sum(sum) / float(head_dim) + (is_query ? query_epsilon : key_epsilon));
    // The cache's block and head.
    const size_t base = (block * kv_heads + index) * BLOCK_TOKENS * head_dim;
#pragma unroll
    for (int n = 0; n < LANE_ELEMENTS; n += 2) {
      int i = n / 2 * WARP + lane;
      if (i >= half) continue;
      float a = x[n], b = x[n + 1];
      if (is_value) {
        values[base + size_t(i) * BLOCK_TOKENS + place] = finite(a);
        values[base + size_t(i + half) * BLOCK_TOKENS + place] = finite(b);
        continue;
      }
      if (norm) {
        a *= factor * norm[i];
        b *= factor * norm[i + half];
      }
      float rotated_a = a * cosine[i] - b * sine[i], rotated_b = b * cosine[i] + a * sine[i];
      if (is_query) {
        from[i] = rotated_a;
        from[i + half] = rotated_b;
      } else {
        keys[base + place * head_dim + i] = finite(rotated_a);
        keys[base + place * head_dim + i + half] = finite(rotated_b);
      }
    }
  }
}
REGISTER(rotate, ROTATE_THREADS)

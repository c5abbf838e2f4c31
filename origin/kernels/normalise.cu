// What stands before every matrix product: activations in the 16-bit type that the tensor cores multiply.
#include "device.cuh"

constexpr int NORMALISE_THREADS = 256;

// operand (rows, width) = weight (width) * x / sqrt(mean(x²) + epsilon), x the stream's rows (rows: which, or all in
// order where null). A block a row; the order of the sum depends on the width alone.
template <class T>
__device__ __forceinline__ void normalise(const float* stream, const uint32_t* rows, const float* weight, T* operand,
                                          int width, float epsilon) {
  SHARED(float, sums, NORMALISE_THREADS / WARP);
  const float* x = stream + size_t(rows ? rows[blockIdx.x] : blockIdx.x) * width;
  float sum = 0;
  for (int i = threadIdx.x; i < width; i += NORMALISE_THREADS) sum = fmaf(x[i], x[i], sum);
  sum = warp_sum(sum);
  if (threadIdx.x % WARP == 0) sums[threadIdx.x / WARP] = sum;
  __syncthreads();
  float total = 0;
  for (int warp = 0; warp < NORMALISE_THREADS / WARP; warp++) total += sums[warp];
  float factor = rsqrt_approximate(total / float(width) + epsilon);
  T* to = operand + size_t(blockIdx.x) * width;
  for (int i = threadIdx.x; i < width; i += NORMALISE_THREADS) from_float(to[i], x[i] * factor * weight[i]);
}

// operand (count) = values (count), rounded. Threads take one value each.
template <class T>
__device__ __forceinline__ void narrow(const float* values, T* operand, int count) {
  int i = blockIdx.x * NORMALISE_THREADS + threadIdx.x;
  if (i < count) from_float(operand[i], values[i]);
}

#define NORMALISE(T, name, narrow_name)                                                                          \
  KERNEL(NORMALISE_THREADS)                                                                                      \
  name(const float* stream, const uint32_t* rows, const float* weight, T* operand, int width, float epsilon) {   \
    normalise(stream, rows, weight, operand, width, epsilon);                                                    \
  }                                                                                                              \
  REGISTER(name, NORMALISE_THREADS)                                                                              \
  KERNEL(NORMALISE_THREADS) narrow_name(const float* values, T* operand, int count) {                            \
    narrow(values, operand, count);                                                                              \
  }                                                                                                              \
  REGISTER(narrow_name, NORMALISE_THREADS)

NORMALISE(half_t, normalise_f16, narrow_f16)
NORMALISE(bf16_t, normalise_bf16, narrow_bf16)

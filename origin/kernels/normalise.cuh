// RMSNorm of rows by one block: the same bits where normalised rows are written for products with many rows and where a
// product with a few rows normalises them itself.
#pragma once
#include "device.cuh"

constexpr int NORMALISE_THREADS = 256;
constexpr int NORMALISE_WARPS = NORMALISE_THREADS / WARP;

// Leaves each warp's part of a row's sum of squares in (NORMALISE_WARPS). The width is a multiple of 4.
__device__ __forceinline__ void sum_squares(const float* x, int width, float* sums) {
  float sum = 0;
#pragma unroll 2
  for (int i = threadIdx.x * 4; i < width; i += NORMALISE_THREADS * 4) {
    float4 four = *reinterpret_cast<const float4*>(x + i);
    sum = fmaf(four.x, four.x, sum);
    sum = fmaf(four.y, four.y, sum);
    sum = fmaf(four.z, four.z, sum);
    sum = fmaf(four.w, four.w, sum);
  }
  sum = warp_sum(sum);
  if (threadIdx.x % WARP == 0) sums[threadIdx.x / WARP] = sum;
}

// to (width) = weight (width) * x / sqrt(mean(x²) + epsilon), the block's part of the sums being there.
template <class T>
__device__ __forceinline__ void write_normalised(const float* x, const float* sums, const float* weight, T* to, int width,
                                                 float epsilon) {
  float total = 0;
  for (int warp = 0; warp < NORMALISE_WARPS; warp++) total += sums[warp];
  const float factor = rsqrt_approximate(total / float(width) + epsilon);
#pragma unroll 2
  for (int i = threadIdx.x * 4; i < width; i += NORMALISE_THREADS * 4) {
    float4 four = *reinterpret_cast<const float4*>(x + i), by = *reinterpret_cast<const float4*>(weight + i);
    *reinterpret_cast<uint2*>(to + i) = {pack<T>(four.x * factor * by.x, four.y * factor * by.y),
                                         pack<T>(four.z * factor * by.z, four.w * factor * by.w)};
  }
}

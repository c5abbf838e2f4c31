// What stands before products with many rows: normalised activations in the 16-bit type that the tensor cores multiply.
#include "normalise.cuh"

// operand (rows, width), normalised from the stream's rows (rows: which, or all in order where null). A block a row.
template <class T>
__device__ __forceinline__ void normalise(const float* stream, const uint32_t* rows, const float* weight, T* operand,
                                          int width, float epsilon) {
  SHARED(float, sums, NORMALISE_WARPS);
  let_next_begin();
  wait_for_launches();
  const float* x = stream + size_t(rows ? rows[blockIdx.x] : blockIdx.x) * width;
  sum_squares(x, width, sums);
  __syncthreads();
  write_normalised(x, sums, weight, operand + size_t(blockIdx.x) * width, width, epsilon);
}

#define NORMALISE(T, name)                                                                                       \
  KERNEL(NORMALISE_THREADS)                                                                                      \
  name(const float* stream, const uint32_t* rows, const float* weight, T* operand, int width, float epsilon) {   \
    normalise(stream, rows, weight, operand, width, epsilon);                                                    \
  }                                                                                                              \
  REGISTER(name, NORMALISE_THREADS)

NORMALISE(half_t, normalise_f16)
NORMALISE(bf16_t, normalise_bf16)

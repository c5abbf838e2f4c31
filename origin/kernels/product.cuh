// Products of a weight matrix with rows of activations, on the tensor cores, for any number of rows.
//
// A sum over the inputs has one order, whatever the number of rows, so that a row's result does not depend on its company:
// the inputs are cut into SLICES, each summed 16 inputs at a time, and the slices' sums are added from the first to the
// last. With few rows every slice has a warp of its own, which reads its part of the weights once: what counts then is
// the memory's bandwidth. With many rows a warp takes slice after slice, and activations are shared between warps.
//
// The weights are the left operand (16 outputs), the activations the right one (8 rows): a row is a column of the result.
#pragma once
#include "weights.cuh"

constexpr int SLICES = 8;
// Rows of one right operand.
constexpr int COLUMNS = 8;

// The steps of 32 inputs that make up a slice.
__device__ __forceinline__ int slice_start(int slice, int steps) { return slice * steps / SLICES; }

// x / (1 + e^-x).
__device__ __forceinline__ float silu(float x) {
  constexpr float LOG2_E = 1.44269504f;
  return x / (1.0f + exp2_approximate(-x * LOG2_E));
}

// What becomes of a product.
enum Then : int {
  // It is the output.
  STORE,
  // It is added to what the output holds: the residual stream.
  ADD,
  // The gated feed-forward layer: it multiplies the SiLU of the gate's product, for the next product in half precision or
  // bfloat16.
  GATE_F16,
  GATE_BF16,
};

struct Output {
  // (rows, stride): the first of this matrix's outputs, or what the gate's product is.
  float* values;
  // (rows, stride): the next product's operand, behind a gate.
  void* operand;
  int stride;
  // Outputs of the matrix.
  int count;
  int then;

  // What the output holds before.
  __device__ __forceinline__ float before(int row, int output) const {
    return then == STORE ? 0 : values[size_t(row) * stride + output];
  }

  __device__ __forceinline__ void put(int row, int output, float value, float before) const {
    size_t index = size_t(row) * stride + output;
    if (then <= ADD) {
      values[index] = then == STORE ? value : before + value;
    } else {
      put_operand(operand, then == GATE_BF16, index, silu(before) * value);
    }
  }
};

// How the output comes to a kernel: its parameters, after those of what is multiplied.
#define KERNEL_OUTPUT float *output, void *operand, int rows, int width, int outputs, int stride, int then
#define OUTPUT {output, operand, stride, outputs, then}

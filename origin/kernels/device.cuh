// The one header of every kernel: what the language and the device offer, under the same names for the GPU (inline PTX,
// no header of NVIDIA's) and for the simulator (host C++). Kernels are compiled with contraction off, so that a sum has
// the same bits wherever it stands; a fused multiply-add is written fmaf.
#pragma once

#ifdef __CUDACC__
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#else
#include <cstdint>
#endif

// IEEE half precision and bfloat16, as bits.
struct half_t {
  uint16_t bits;
};
struct bf16_t {
  uint16_t bits;
};

#ifdef __CUDACC__

// A kernel for blocks of up to this many threads.
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
// The same, so many blocks of which are on a multiprocessor at once.
#define KERNEL_RESIDENT(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
// Makes a kernel known to the simulator.
#define REGISTER(kernel, threads)
// An array of the block, uninitialised; a pointer, so sizeof says nothing about it.
#define SHARED(type, name, count)                       \
  __shared__ __align__(16) type name##_array[count];    \
  type* const name = name##_array
// The block's dynamic shared memory.
#define DYNAMIC_SHARED(type, name)                                   \
  extern __shared__ __align__(16) unsigned char dynamic_shared_[];   \
  type* const name = reinterpret_cast<type*>(dynamic_shared_)

__device__ __forceinline__ float to_float(half_t half) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half.bits));
  return value;
}
// To the nearest, ties to even.
__device__ __forceinline__ void from_float(half_t& half, float value) {
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half.bits) : "f"(value));
}
__device__ __forceinline__ void from_float(bf16_t& to, float value) {
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(value));
}
// 2^x with a relative error of about 2^-22.
__device__ __forceinline__ float exp2_approximate(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
// 1 / sqrt(x) with a relative error of about 2^-22.
__device__ __forceinline__ float rsqrt_approximate(float x) {
  float y;
  asm("rsqrt.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
// a * b + c for both halves of a pair.
__device__ __forceinline__ uint32_t fma_half2(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t d;
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}

// Tensor cores, one warp: d (16 × 8) += a (16 × 16) · b (16 × 8). With g = lane / 4 and q = lane % 4 a lane holds
// a: rows g, g + 8, g, g + 8 at columns 2q and 2q + 1, the last two 8 columns further on;
// b: rows 2q and 2q + 1, and 8 further on, of column g; d: columns 2q and 2q + 1 of row g, then of row g + 8.
__device__ __forceinline__ void multiply_accumulate(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                                                    half_t) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void multiply_accumulate(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                                                    bf16_t) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Reads weights: what no launch writes, and what a multiprocessor reads once, so that it takes no place in the first cache.
// In the order in which it is written, since what comes before `wait_for_launches` shall stay there.
__device__ __forceinline__ uint4 read_once(const uint4* from) {
  uint4 x;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
               : "l"(from));
  return x;
}
__device__ __forceinline__ uint2 read_once(const uint2* from) {
  uint2 x;
  asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0,%1}, [%2];" : "=r"(x.x), "=r"(x.y) : "l"(from));
  return x;
}
__device__ __forceinline__ uint32_t read_once(const uint32_t* from) {
  uint32_t x;
  asm volatile("ld.global.nc.L1::no_allocate.u32 %0, [%1];" : "=r"(x) : "l"(from));
  return x;
}

// Asks for a line of what no launch writes, so that it is near when it is read.
__device__ __forceinline__ void prefetch(const void* from) { asm volatile("prefetch.global.L2 [%0];" ::"l"(from)); }

// Adds 1 to a counter; what it held before. What was written before an arrival is there for who arrives later.
__device__ __forceinline__ uint32_t arrive(uint32_t* counter) {
  uint32_t before;
  asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], 1;" : "=r"(before) : "l"(counter) : "memory");
  return before;
}

// Lets the next launch begin as soon as there is room for its blocks; see `wait_for_launches`.
__device__ __forceinline__ void let_next_begin() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
// Waits until the launches before this one are done and what they wrote is there. A launch begins before that, to save the
// time between two: until every thread has been here, it may read weights and nothing else.
__device__ __forceinline__ void wait_for_launches() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}
// Copies 16 bytes to shared memory, past the registers; zeros where they are not there.
__device__ __forceinline__ void copy_async_16(void* to, const void* from, bool is_there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from),
               "r"(is_there ? 16 : 0)
               : "memory");
}
// Closes the group of copies made since the last one.
__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most the last N groups of this thread are under way.
template <int N>
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

#else
#include "simulator/cuda.h"
#endif

__device__ __forceinline__ float to_float(bf16_t value) { return __uint_as_float(uint32_t(value.bits) << 16); }

// Two 16-bit numbers in a word, the first in the lower half.
template <class T>
__device__ __forceinline__ uint32_t pack(float first, float second) {
  T low, high;
  from_float(low, first);
  from_float(high, second);
  return uint32_t(high.bits) << 16 | low.bits;
}

// Rounds a number into an array of a type that the launch chooses.
__device__ __forceinline__ void put_operand(void* to, bool is_bf16, size_t index, float value) {
  if (is_bf16) {
    from_float(static_cast<bf16_t*>(to)[index], value);
  } else {
    from_float(static_cast<half_t*>(to)[index], value);
  }
}

// A word's lower or upper half twice.
__device__ __forceinline__ uint32_t low_pair(uint32_t word) { return __byte_perm(word, 0, 0x1010); }
__device__ __forceinline__ uint32_t high_pair(uint32_t word) { return __byte_perm(word, 0, 0x3232); }

constexpr int WARP = 32;

// The sum over the warp, in every lane; a fixed order.
__device__ __forceinline__ float warp_sum(float value) {
  for (int lanes = WARP / 2; lanes > 0; lanes /= 2) value += __shfl_xor_sync(~0u, value, lanes);
  return value;
}

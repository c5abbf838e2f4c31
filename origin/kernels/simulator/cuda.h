// The part of CUDA C++ that the kernels use, as host C++ over the simulated machine. Everything here is compiled into
// the kernels, with their sanitizers: what it reads and writes is what a thread of the kernel reads and writes.
#pragma once
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "machine.h"

#define __device__
#define __forceinline__ inline
#define threadIdx (simulator::current->thread)
#define blockIdx (simulator::current->block)
#define blockDim (simulator::current->block_size)
#define gridDim (simulator::current->grid_size)

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) uint2 { uint32_t x, y; };
struct alignas(16) uint4 { uint32_t x, y, z, w; };

#define KERNEL(threads) static void
#define KERNEL_RESIDENT(threads, blocks) static void
#define REGISTER(kernel, threads)                                                                       \
  static simulator::Kernel kernel##_entry{#kernel, simulator::Signature<decltype(&kernel)>::layout, threads, \
                                          simulator::Signature<decltype(&kernel)>::call<&kernel>, nullptr};  \
  static simulator::Registration kernel##_registration{kernel##_entry};
#define SHARED(type, name, count)  \
  static const char name##_declaration = 0; \
  type* const name = static_cast<type*>(simulator::shared_array(&name##_declaration, sizeof(type) * (count)))
#define DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(simulator::shared_dynamic())

namespace simulator {

template <class T>
constexpr char letter() {
  if constexpr (std::is_pointer_v<T>) return 'p';
  if constexpr (std::is_same_v<T, float>) return 'f';
  static_assert(std::is_pointer_v<T> || std::is_same_v<T, float> || std::is_integral_v<T>);
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  return std::is_pointer_v<T> ? 'p' : std::is_same_v<T, float> ? 'f' : sizeof(T) == 4 ? 'i' : 'l';
}

// Reads the argument at the next multiple of its size.
template <class T>
T take(const uint8_t* arguments, size_t& at) {
  at = (at + sizeof(T) - 1) / sizeof(T) * sizeof(T);
  T value;
  memcpy(&value, arguments + at, sizeof(T));
  at += sizeof(T);
  return value;
}

template <class Pointer>
struct Signature;

template <class... Arguments>
struct Signature<void (*)(Arguments...)> {
  static constexpr char layout[] = {letter<Arguments>()..., 0};

  template <void (*kernel)(Arguments...)>
  static void call(const uint8_t* arguments) {
    size_t at = 0;
    // Braces, since their order of evaluation is fixed.
    struct Call {
      Call(Arguments... values) { kernel(values...); }
    };
    Call{take<Arguments>(arguments, at)...};
  }
};

template <class T>
T shuffle(uint32_t mask, T value, uint32_t argument, Collective operation) {
  static_assert(sizeof(T) == 4);
  memcpy(&current->in.words[0], &value, 4);
  current->in.words[1] = argument;
  collective(mask, operation);
  memcpy(&value, &current->out.words[0], 4);
  return value;
}

inline void land(const PendingCopy& copy) {
  uint4 value = {0, 0, 0, 0};
  if (copy.from) value = *static_cast<const uint4*>(copy.from);
  *static_cast<uint4*>(copy.to) = value;
}

inline void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Collective operation) {
  memcpy(&current->in.words[0], a, 16);
  memcpy(&current->in.words[4], b, 8);
  collective(~0u, operation);
  float product[4];
  memcpy(product, current->out.words, 16);
  for (int i = 0; i < 4; i++) d[i] += product[i];
}

}  // namespace simulator

inline void __syncthreads(int line = __builtin_LINE()) { simulator::barrier(line); }
inline void __syncwarp(uint32_t mask = ~0u) { simulator::collective(mask, simulator::Collective::SYNC); }
template <class T>
T __shfl_xor_sync(uint32_t mask, T value, int lanes) {
  return simulator::shuffle(mask, value, lanes, simulator::Collective::SHUFFLE_XOR);
}
template <class T>
T __shfl_sync(uint32_t mask, T value, int lane) {
  return simulator::shuffle(mask, value, lane, simulator::Collective::SHUFFLE_INDEX);
}
template <class T>
T __shfl_down_sync(uint32_t mask, T value, int lanes) {
  return simulator::shuffle(mask, value, lanes, simulator::Collective::SHUFFLE_DOWN);
}
template <class T>
T __shfl_up_sync(uint32_t mask, T value, int lanes) {
  return simulator::shuffle(mask, value, lanes, simulator::Collective::SHUFFLE_UP);
}
inline uint32_t __ballot_sync(uint32_t mask, bool vote) {
  return simulator::shuffle(mask, uint32_t(vote), 0, simulator::Collective::BALLOT);
}

inline float __uint_as_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
inline uint32_t __float_as_uint(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}
inline double __longlong_as_double(int64_t bits) {
  double value;
  memcpy(&value, &bits, 8);
  return value;
}
inline int __popc(uint32_t bits) { return __builtin_popcount(bits); }
// Each nibble of the selector names the byte of (a, b) that comes to its place.
inline uint32_t __byte_perm(uint32_t a, uint32_t b, uint32_t selector) {
  uint64_t bytes = uint64_t(b) << 32 | a;
  uint32_t result = 0;
  for (int i = 0; i < 4; i++) result |= uint32_t(bytes >> 8 * (selector >> 4 * i & 7) & 255) << 8 * i;
  return result;
}
inline int min(int a, int b) { return a < b ? a : b; }
inline uint32_t min(uint32_t a, uint32_t b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }

// The device's own instructions, as device.cuh names them.

inline float to_float(half_t half) {
  uint32_t exponent = half.bits >> 10 & 31, mantissa = half.bits & 1023, sign = uint32_t(half.bits >> 15) << 31;
  if (exponent == 31) return __uint_as_float(sign | 0x7f800000 | mantissa << 13);
  if (exponent == 0) return __uint_as_float(sign | __float_as_uint(float(mantissa) * 0x1p-24f));
  return __uint_as_float(sign | (exponent + 112) << 23 | mantissa << 13);
}
inline void from_float(half_t& half, float value) {
  uint32_t bits = __float_as_uint(value), sign = bits >> 31 << 15, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) {
    half.bits = 0x7fff;
  } else if (magnitude >= 0x477ff000) {
    half.bits = sign | 0x7c00;
  } else if (magnitude < 0x38800000) {
    // Below the least normal number the unit is 2^-24, which the addition rounds to.
    half.bits = sign | (__float_as_uint(__uint_as_float(magnitude) + 0.5f) - 0x3f000000);
  } else {
    half.bits = sign | (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
  }
}
inline void from_float(bf16_t& value, float from) {
  uint32_t bits = __float_as_uint(from);
  value.bits = from != from ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
inline float exp2_approximate(float x) { return exp2f(x); }
inline float rsqrt_approximate(float x) { return 1.0f / sqrtf(x); }

// Both halves of `a * b + c`, each rounded once: the product is exact in double precision, and so is the sum but for
// terms that are too small to matter to a half.
inline uint32_t fma_half2(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t result = 0;
  for (int i = 0; i < 2; i++) {
    auto part = [i](uint32_t pair) { return to_float(half_t{uint16_t(pair >> 16 * i)}); };
    half_t sum;
    from_float(sum, fmaf(part(a), part(b), part(c)));
    result |= uint32_t(sum.bits) << 16 * i;
  }
  return result;
}

inline void multiply_accumulate(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], half_t) {
  simulator::multiply(d, a, b, simulator::Collective::MULTIPLY_F16);
}
inline void multiply_accumulate(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], bf16_t) {
  simulator::multiply(d, a, b, simulator::Collective::MULTIPLY_BF16);
}

template <class T>
T read_once(const T* from) {
  return *from;
}
inline void prefetch(const void*) {}
inline uint32_t arrive(uint32_t* counter) { return __atomic_fetch_add(counter, 1, __ATOMIC_ACQ_REL); }
inline void let_next_begin() {}
inline void wait_for_launches() { simulator::wait_for_launches(); }

inline void copy_async_16(void* to, const void* from, bool is_there) {
  auto* thread = simulator::current;
  if (reinterpret_cast<uintptr_t>(to) % 16 || (is_there && reinterpret_cast<uintptr_t>(from) % 16)) {
    simulator::fail("cp.async: an address is no multiple of 16");
  }
  simulator::PendingCopy copy{to, is_there ? from : nullptr, thread->copy_group};
  if (simulator::copy_lands_early()) {
    simulator::land(copy);
  } else if (thread->copy_count == simulator::PENDING_COPIES_MAX) {
    simulator::fail("cp.async: more than %u copies under way", simulator::PENDING_COPIES_MAX);
  } else {
    thread->copies[thread->copy_count++] = copy;
  }
}
inline void copy_async_commit() { simulator::current->copy_group++; }
template <int N>
void copy_async_wait() {
  auto* thread = simulator::current;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < thread->copy_count; i++) {
    if (thread->copies[i].group + N < thread->copy_group) {
      simulator::land(thread->copies[i]);
    } else {
      thread->copies[kept++] = thread->copies[i];
    }
  }
  thread->copy_count = kept;
}

// The four weight formats, in the order in which the tensor cores take them.
//
// A matrix (outputs, inputs) is cut into tiles of 16 outputs and 32 inputs; the tiles of 16 outputs follow one another
// along the inputs, so that a warp reads one stream. Within a tile a lane (g = lane / 4, q = lane % 4) holds outputs g and
// g + 8 at inputs 8q … 8q + 7, which two multiplications consume: the first takes inputs 8q … 8q + 3 for the columns
// 2q, 2q + 1, 2q + 8 and 2q + 9 of its left operand, the second the other four. The order of inputs within a sum is
// free, and this one lets the right operand be read from row-major activations, 16 bytes a lane. Outputs past the last
// have weight 0.
#pragma once
#include "device.cuh"

constexpr int TILE_OUTPUTS = 16;
constexpr int TILE_INPUTS = 32;

// A matrix, its format known to the code that reads it. A format's AHEAD is how many tiles a warp keeps on their way with a
// few rows: 2 to 4 KB.
struct Weights {
  // Tiles; see the formats.
  const void* data;
  // Scales (and minimums) of the quantised formats, a group of 32 inputs each.
  const void* scales;
};

// Half precision or bfloat16. A tile is two runs of 32 lanes, 16 bytes a lane: the left operands of the two
// multiplications.
template <class T>
struct Halves {
  using Operand = T;
  static constexpr int AHEAD = 4, TILE_BYTES = 1024, TILE_SCALE_BYTES = 0;
  struct Fragment {
    uint4 words[2];
  };

  // A lane's way through the tiles that follow one another.
  struct Source {
    const uint4* words;

    Source() = default;
    __device__ __forceinline__ Source(const Weights& weights, size_t tile, int lane)
        : words(static_cast<const uint4*>(weights.data) + tile * 2 * WARP + lane) {}
    __device__ __forceinline__ Fragment load(int tile) const {
      return {read_once(words + tile * 2 * WARP), read_once(words + (tile * 2 + 1) * WARP)};
    }
    __device__ __forceinline__ void skip(int tiles) { words += tiles * 2 * WARP; }
  };

  // A lane's part of a tile in shared memory.
  static __device__ __forceinline__ Fragment staged(const Weights& weights, int tile, int lane) {
    const uint4* words = static_cast<const uint4*>(weights.data) + tile * 2 * WARP + lane;
    return {words[0], words[WARP]};
  }

  static __device__ __forceinline__ void expand(const Fragment& fragment, uint32_t (&a)[2][4]) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      a[i][0] = fragment.words[i].x;
      a[i][1] = fragment.words[i].y;
      a[i][2] = fragment.words[i].z;
      a[i][3] = fragment.words[i].w;
    }
  }

  static __device__ __forceinline__ float weight(const Weights& weights, size_t tile, int output, int input) {
    int lane = output % 8 * 4 + input / 8, word = input % 4 / 2 * 2 + output / 8;
    size_t index = ((tile * 2 + input % 8 / 4) * WARP + lane) * 4 + word;
    return to_float(static_cast<const T*>(weights.data)[index * 2 + input % 2]);
  }
};

using F16 = Halves<half_t>;
using Bf16 = Halves<bf16_t>;

// How the tiles of a quantised format lie: each lane has its quants, and the four lanes of an output the same scales.
template <class Quants, class Scales>
struct Grouped {
  using Operand = half_t;
  static constexpr int TILE_BYTES = WARP * sizeof(Quants), TILE_SCALE_BYTES = WARP / 4 * sizeof(Scales);
  struct Fragment {
    Quants quants;
    Scales scales;
  };

  // A lane's way through the tiles that follow one another.
  struct Source {
    const Quants* quants;
    const Scales* scales;

    Source() = default;
    __device__ __forceinline__ Source(const Weights& weights, size_t tile, int lane)
        : quants(static_cast<const Quants*>(weights.data) + tile * WARP + lane),
          scales(static_cast<const Scales*>(weights.scales) + tile * (WARP / 4) + lane / 4) {}
    __device__ __forceinline__ Fragment load(int tile) const {
      return {read_once(quants + tile * WARP), read_once(scales + tile * (WARP / 4))};
    }
    __device__ __forceinline__ void skip(int tiles) { quants += tiles * WARP, scales += tiles * (WARP / 4); }
  };

  // A lane's part of a tile in shared memory.
  static __device__ __forceinline__ Fragment staged(const Weights& weights, int tile, int lane) {
    return {static_cast<const Quants*>(weights.data)[tile * WARP + lane],
            static_cast<const Scales*>(weights.scales)[tile * (WARP / 4) + lane / 4]};
  }
};

// A half whose lower bits hold a small integer n has the value 1024 + n.
constexpr uint32_t HALF_1024 = 0x64006400;
constexpr uint32_t HALF_1 = 0x3c003c00;
constexpr uint32_t HALF_MINUS_1024 = 0xe400e400;
constexpr uint32_t HALF_MINUS_1152 = 0xe480e480;
constexpr uint32_t HALF_SIXTEENTH = 0x2c002c00;
constexpr uint32_t HALF_MINUS_64 = 0xd400d400;

// 8 bits and a scale: weight = scale * (byte - 128), rounded to half precision. A lane has 16 bytes of a tile: 8 inputs of
// output g, then of output g + 8; scales lie as pairs of outputs g and g + 8.
struct Int8 : Grouped<uint4, uint32_t> {
  static constexpr int AHEAD = 6;

  // Two of a word's bytes, chosen by the selector, as weights.
  static __device__ __forceinline__ uint32_t two(uint32_t bytes, uint32_t selector, uint32_t scale) {
    uint32_t halves = __byte_perm(bytes, HALF_1024, selector);
    return fma_half2(fma_half2(halves, HALF_1, HALF_MINUS_1152), scale, 0);
  }

  static __device__ __forceinline__ void expand(const Fragment& fragment, uint32_t (&a)[2][4]) {
    const uint32_t words[4] = {fragment.quants.x, fragment.quants.y, fragment.quants.z, fragment.quants.w};
    const uint32_t scales[2] = {low_pair(fragment.scales), high_pair(fragment.scales)};
#pragma unroll
    for (int i = 0; i < 2; i++) {
#pragma unroll
      for (int output = 0; output < 2; output++) {
        uint32_t word = words[output * 2 + i];
        a[i][output] = two(word, 0x5150, scales[output]);
        a[i][2 + output] = two(word, 0x5352, scales[output]);
      }
    }
  }

  static __device__ __forceinline__ float weight(const Weights& weights, size_t tile, int output, int input) {
    int lane = output % 8 * 4 + input / 8;
    size_t index = (tile * WARP + lane) * 16 + output / 8 * 8 + input % 8;
    float quant = float(static_cast<const uint8_t*>(weights.data)[index]) - 128.0f;
    return to_float(static_cast<const half_t*>(weights.scales)[tile * 16 + output % 8 * 2 + output / 8]) * quant;
  }
};

// 4 bits, a scale and a minimum: weight = scale * nibble + minimum, rounded to half precision. A lane has two words of a
// tile, for outputs g and g + 8; nibbles i and i + 4 of a word are inputs 8q + 2i and 8q + 2i + 1. Scale and minimum lie
// side by side, those of output g before those of g + 8.
struct Int4 : Grouped<uint2, uint2> {
  static constexpr int AHEAD = 8;

  static __device__ __forceinline__ void expand(const Fragment& fragment, uint32_t (&a)[2][4]) {
    const uint32_t words[2] = {fragment.quants.x, fragment.quants.y};
    const uint32_t scales[2] = {fragment.scales.x, fragment.scales.y};
#pragma unroll
    for (int output = 0; output < 2; output++) {
      uint32_t scale = low_pair(scales[output]), minimum = high_pair(scales[output]);
#pragma unroll
      for (int i = 0; i < 4; i++) {
        uint32_t word = words[output] >> i / 2 * 8;
        // A nibble in the second place is 16 times as much.
        uint32_t nibbles = i % 2 == 0 ? fma_half2((word & 0x000f000f) | HALF_1024, HALF_1, HALF_MINUS_1024)
                                      : fma_half2((word & 0x00f000f0) | HALF_1024, HALF_SIXTEENTH, HALF_MINUS_64);
        a[i / 2][i % 2 * 2 + output] = fma_half2(nibbles, scale, minimum);
      }
    }
  }

  static __device__ __forceinline__ float weight(const Weights& weights, size_t tile, int output, int input) {
    int lane = output % 8 * 4 + input / 8, nibble = input % 8 / 2 + input % 2 * 4;
    uint32_t word = static_cast<const uint32_t*>(weights.data)[(tile * WARP + lane) * 2 + output / 8];
    const half_t* scales = static_cast<const half_t*>(weights.scales) + (tile * 16 + output % 8 * 2 + output / 8) * 2;
    return fmaf(to_float(scales[0]), float(word >> 4 * nibble & 15), to_float(scales[1]));
  }
};

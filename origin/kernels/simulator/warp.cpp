// What the lanes of a warp do together.
#include <cstring>

#include "block.h"

namespace simulator {
namespace {

float half_to_float(uint16_t half) {
  uint32_t exponent = half >> 10 & 31, mantissa = half & 1023;
  float magnitude = exponent == 0 ? float(mantissa) * 0x1p-24f : 0.0f;
  if (exponent != 0) {
    uint32_t bits = (exponent == 31 ? 255 : exponent + 112) << 23 | mantissa << 13;
    memcpy(&magnitude, &bits, 4);
  }
  return half >> 15 ? -magnitude : magnitude;
}

// Every half as a float.
struct HalfTable {
  float values[1 << 16];
  HalfTable() {
    for (uint32_t bits = 0; bits < 1 << 16; bits++) values[bits] = half_to_float(bits);
  }
};
const HalfTable HALVES;

float widen(uint16_t bits, bool is_bf16) {
  if (!is_bf16) return HALVES.values[bits];
  uint32_t word = uint32_t(bits) << 16;
  float value;
  memcpy(&value, &word, 4);
  return value;
}

// The product of a 16 × 16 and a 16 × 8 matrix, as mma.m16n8k16 spreads them over the lanes.
void multiply(Slot* const* lanes, bool is_bf16) {
  float a[16][16], b[16][8], d[16][8] = {};
  for (uint32_t lane = 0; lane < WARP_LANES; lane++) {
    uint32_t group = lane / 4, column = lane % 4 * 2;
    const uint32_t* words = lanes[lane]->thread.in.words;
    for (uint32_t i = 0; i < 4; i++) {
      for (uint32_t half = 0; half < 2; half++) {
        a[group + i % 2 * 8][column + i / 2 * 8 + half] = widen(words[i] >> 16 * half, is_bf16);
      }
    }
    for (uint32_t i = 0; i < 2; i++) {
      for (uint32_t half = 0; half < 2; half++) {
        b[column + i * 8 + half][group] = widen(words[4 + i] >> 16 * half, is_bf16);
      }
    }
  }
  for (uint32_t row = 0; row < 16; row++) {
    for (uint32_t k = 0; k < 16; k++) {
      for (uint32_t column = 0; column < 8; column++) d[row][column] += a[row][k] * b[k][column];
    }
  }
  for (uint32_t lane = 0; lane < WARP_LANES; lane++) {
    for (uint32_t i = 0; i < 4; i++) {
      memcpy(&lanes[lane]->thread.out.words[i], &d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2], 4);
    }
  }
}

void ballot(Slot* const* lanes, uint32_t mask) {
  uint32_t votes = 0;
  for (uint32_t lane = 0; lane < WARP_LANES; lane++) {
    if (mask >> lane & 1) votes |= lanes[lane]->thread.in.words[0] << lane;
  }
  for (uint32_t lane = 0; lane < WARP_LANES; lane++) {
    if (mask >> lane & 1) lanes[lane]->thread.out.words[0] = votes;
  }
}

// The lane that `lane` reads from.
uint32_t source(uint32_t lane, uint32_t argument, Collective operation) {
  switch (operation) {
    case Collective::SHUFFLE_XOR: return lane ^ argument;
    case Collective::SHUFFLE_INDEX: return argument % WARP_LANES;
    case Collective::SHUFFLE_DOWN: return lane + argument < WARP_LANES ? lane + argument : lane;
    default: return lane >= argument ? lane - argument : lane;
  }
}

void shuffle(Slot* const* lanes, uint32_t mask, Collective operation) {
  for (uint32_t lane = 0; lane < WARP_LANES; lane++) {
    if (!(mask >> lane & 1)) continue;
    uint32_t from = source(lane, lanes[lane]->thread.in.words[1], operation);
    if (!(mask >> from & 1)) fail("a shuffle reads lane %u, which is not in the mask %08x", from, mask);
    lanes[lane]->thread.out.words[0] = lanes[from]->thread.in.words[0];
  }
}

}  // namespace

void perform(Slot* const* lanes, uint32_t mask, Collective operation) {
  switch (operation) {
    case Collective::SYNC: return;
    case Collective::BALLOT: return ballot(lanes, mask);
    case Collective::MULTIPLY_F16: return multiply(lanes, false);
    case Collective::MULTIPLY_BF16: return multiply(lanes, true);
    default: return shuffle(lanes, mask, operation);
  }
}

}  // namespace simulator

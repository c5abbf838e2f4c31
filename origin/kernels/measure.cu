// For measurements alone: weights that nobody has to upload, and what the tensor cores do at best.
#include "device.cuh"

constexpr int FILL_THREADS = 256;
constexpr int RATE_THREADS = 256;
// Sums of a warp that do not wait for one another.
constexpr int CHAINS = 8;

// Random bits (MurmurHash3's finalizer of the place) where `varied` has ones, those of `fixed` elsewhere. Threads of all
// blocks go on by their number.
KERNEL(FILL_THREADS)
fill(uint32_t* words, uint32_t varied, uint32_t fixed, int count) {
  let_next_begin();
  wait_for_launches();
  const uint32_t threads = gridDim.x * FILL_THREADS;
  for (uint32_t i = blockIdx.x * FILL_THREADS + threadIdx.x; i < uint32_t(count); i += threads) {
    uint32_t bits = i;
    bits = (bits ^ bits >> 16) * 0x85ebca6bu;
    bits = (bits ^ bits >> 13) * 0xc2b2ae35u;
    words[i] = ((bits ^ bits >> 16) & varied) | fixed;
  }
}
REGISTER(fill, FILL_THREADS)

// Multiplies matrices whose elements are all operands[0] and operands[1] (pairs of halves), CHAINS · rounds times a warp,
// without memory. Each thread's sum goes to sums, (grid * RATE_THREADS).
KERNEL(RATE_THREADS)
multiply_rate(float* sums, const uint32_t* operands, int rounds) {
  let_next_begin();
  wait_for_launches();
  const uint32_t a[4] = {operands[0], operands[0], operands[0], operands[0]};
  const uint32_t b[2] = {operands[1], operands[1]};
  float d[CHAINS][4] = {};
  for (int round = 0; round < rounds; round++) {
#pragma unroll
    for (int chain = 0; chain < CHAINS; chain++) multiply_accumulate(d[chain], a, b, half_t());
  }
  float sum = 0;
#pragma unroll
  for (int chain = 0; chain < CHAINS; chain++) sum += d[chain][0] + d[chain][1] + d[chain][2] + d[chain][3];
  sums[blockIdx.x * RATE_THREADS + threadIdx.x] = sum;
}
REGISTER(multiply_rate, RATE_THREADS)

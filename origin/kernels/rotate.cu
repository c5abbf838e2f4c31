// Keys and values of prompts on their way into the cache; attention does the same for single tokens itself.
#include "heads.cuh"

constexpr int ROTATE_THREADS = 128;
// The slot of a row that a step is padded with.
constexpr uint32_t NO_SLOT = ~0u;

// Writes the keys and values of row blockIdx.x at its slot (block * 16 + place), a warp a head. qkv: (rows, (heads + 2
// kv_heads) * head_dim); positions, slots: (rows).
KERNEL(ROTATE_THREADS)
rotate(KERNEL_PROJECTIONS, const uint32_t* positions, const uint32_t* slots, half_t* keys, half_t* values, int head_dim) {
  let_next_begin();
  wait_for_launches();
  const Projections projections = PROJECTIONS;
  const uint32_t row = blockIdx.x;
  if (slots[row] == NO_SLOT) return;
  for (int head = threadIdx.x / WARP; head < kv_heads; head += ROTATE_THREADS / WARP) {
    projections.remember(row, positions[row], slots[row] / BLOCK_TOKENS, head, head_dim, keys, values);
  }
}
REGISTER(rotate, ROTATE_THREADS)

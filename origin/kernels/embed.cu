// The first activations of a token: its row of the embedding matrix.
#include "weights.cuh"

constexpr int EMBED_THREADS = 128;

// stream (rows, width) = table[tokens (rows)]. A block a row.
template <class Format>
__device__ __forceinline__ void embed(const Weights& table, const uint32_t* tokens, float* stream, int width) {
  let_next_begin();
  wait_for_launches();
  uint32_t token = tokens[blockIdx.x];
  size_t tile = size_t(token / TILE_OUTPUTS) * (width / TILE_INPUTS);
  for (int i = threadIdx.x; i < width; i += EMBED_THREADS) {
    stream[size_t(blockIdx.x) * width + i] =
        Format::weight(table, tile + i / TILE_INPUTS, token % TILE_OUTPUTS, i % TILE_INPUTS);
  }
}

#define EMBED(name, Format)                                                                               \
  KERNEL(EMBED_THREADS)                                                                                   \
  name(const void* data, const void* scales, const uint32_t* tokens, float* stream, int width) {          \
    embed<Format>({data, scales}, tokens, stream, width);                                                 \
  }                                                                                                       \
  REGISTER(name, EMBED_THREADS)

EMBED(embed_f16, F16)
EMBED(embed_bf16, Bf16)
EMBED(embed_int8, Int8)
EMBED(embed_int4, Int4)

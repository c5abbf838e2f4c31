// Causal attention over the paged cache, on the tensor cores: online softmax over blocks of 16 tokens (Milakov and
// Gimelshein, 2018; Dao and others, FlashAttention, 2022), the context split at fixed places.
//
// Query heads that share a key/value head are vectors side by side: vector v of a sequence's rows is head v % group of row
// v / group, and a warp takes up to 16 vectors. A vector's result depends on its context alone: splits begin at multiples
// of SPLIT_TOKENS, each is summed block by block, and they are joined from the first to the last, whether a warp does
// all of it (prompts) or a warp has a split of its own (a few tokens after long contexts) and the last one that is done
// joins them. Masked tokens add zeros.
//
// Where a head is so wide that the sums of its D columns have no room in a warp's registers, several warps sum C columns
// each, and each of them computes the scores.
#include "attend.cuh"

constexpr int ATTEND_THREADS = WARP;

// Where results go.
struct Results {
  // (rows, heads * D), half precision or bfloat16.
  void* output;
  int is_bf16;
  // (tiles, kv_heads * slices, splits, part_vectors) of C + 2 floats: weighted sums, greatest, sum. Null where warps go
  // through their whole context.
  float* parts;
  int part_vectors;
  // (tiles, kv_heads * slices): how many of a context's warps are done. 0 before and after the launch.
  uint32_t* arrivals;

  template <int C>
  __device__ __forceinline__ float* part(int split, int vector) const {
    size_t index = (size_t(blockIdx.x) * gridDim.y + blockIdx.y) * gridDim.z + split;
    return parts + (index * part_vectors + vector) * (C + 2);
  }

  // A vector's element of this block's columns. A head's blocks lie side by side.
  template <int D, int C>
  __device__ __forceinline__ void put(const Tile& tile, int group, int vector, int element, float value) const {
    constexpr int SLICES = D / C;
    size_t row = tile.first_row + tile.token(vector, group);
    size_t head = row * (gridDim.y / SLICES) * group + blockIdx.y / SLICES * group + tile.head(vector, group);
    put_operand(output, is_bf16, head * D + blockIdx.y % SLICES * C + element, value);
  }
};

// The mean over the blocks from `block` to the one before `end`, split by split.
template <int D, int C>
__device__ __forceinline__ void attend_blocks(const Cache& cache, const Tile& tile, uint32_t block, uint32_t end,
                                              const uint32_t (&positions)[2], const uint32_t (&queries)[CHUNKS<D>][2][4],
                                              Mean<C>& whole) {
  SHARED(half_t, halves, STAGES * (Stages<D, C>::STAGE));
  const Stages<D, C> stages{halves};
  constexpr int SLICES = D / C;
  uint32_t next = block, window = 0;
  // An empty group where there is no block, so that a group is a block all the same.
  auto fetch = [&] {
    if (next < end) {
      // Places of 32 blocks at a time, a lane each.
      if ((next - block) % WARP == 0) window = next + threadIdx.x < end ? cache.tables[tile.table + next + threadIdx.x] : 0;
      size_t place = __shfl_sync(~0u, window, (next - block) % WARP);
      place = place * (gridDim.y / SLICES) + blockIdx.y / SLICES;
      stages.fetch(cache, place * BLOCK_TOKENS * D, blockIdx.y % SLICES * C, next % STAGES);
    }
    copy_async_commit();
    next++;
  };
  Mean<C> split;
  whole.clear();
  split.clear();
  for (int stage = 0; stage < STAGES - 1; stage++) fetch();
  for (uint32_t at = block; at < end; at++) {
    copy_async_wait<STAGES - 2>();
    // This block is there for every lane, and every lane is done with the one before.
    __syncwarp();
    fetch();
    float scores[2][4];
    score<D>(stages.keys(at % STAGES), queries, scores);
    weigh<C>(scores, at * BLOCK_TOKENS, positions, split);
    mix<C>(stages.values(at % STAGES), scores, split);
    if ((at + 1) % SPLIT_BLOCKS != 0 && at + 1 != end) continue;
#pragma unroll
    for (int vector = 0; vector < 2; vector++) {
      split.sum[vector] += __shfl_xor_sync(~0u, split.sum[vector], 1);
      split.sum[vector] += __shfl_xor_sync(~0u, split.sum[vector], 2);
    }
    join(whole, split);
    split.clear();
  }
  copy_async_wait<0>();
}

// Leaves a split's result for the warp that joins them; whether this one does, being the last.
template <int C>
__device__ __forceinline__ bool leave_part(const Results& results, const Tile& tile, const Mean<C>& mean, uint32_t splits) {
  const int lane = threadIdx.x;
#pragma unroll
  for (int vector = 0; vector < 2; vector++) {
    int v = lane / 4 + vector * 8;
    if (v >= int(tile.vectors)) continue;
    float* part = results.part<C>(blockIdx.z, v);
#pragma unroll
    for (int n = 0; n < C / 8; n++) {
      part[n * 8 + lane % 4 * 2] = mean.values[n][vector * 2];
      part[n * 8 + lane % 4 * 2 + 1] = mean.values[n][vector * 2 + 1];
    }
    if (lane % 4 == 0) {
      part[C] = mean.greatest[vector];
      part[C + 1] = mean.sum[vector];
    }
  }
  uint32_t before = 0;
  uint32_t* arrivals = results.arrivals + size_t(blockIdx.x) * gridDim.y + blockIdx.y;
  // All lanes' parts are written before the first lane says so, and it has seen the others' before any lane reads them.
  __syncwarp();
  if (lane == 0) {
    before = arrive(arrivals);
    if (before + 1 == splits) *arrivals = 0;
  }
  __syncwarp();
  return __shfl_sync(~0u, before, 0) + 1 == splits;
}

// Joins the parts of each vector from the first to the last, whichever warp does it.
template <int D, int C>
__device__ __forceinline__ void join_parts(const Results& results, const Tile& tile, int group, uint32_t splits) {
  for (int i = threadIdx.x; i < int(tile.vectors) * C; i += WARP) {
    int vector = i / C, element = i % C;
    float greatest = nothing(), sum = 0, total = 0;
#pragma unroll 4
    for (uint32_t split = 0; split < splits; split++) {
      const float* part = results.part<C>(split, vector);
      float scale, more_scale;
      join(greatest, sum, part[C], part[C + 1], scale, more_scale);
      total = fmaf(total, scale, part[element] * more_scale);
    }
    results.put<D, C>(tile, group, vector, element, total / sum);
  }
}

// Attention of one tile and C columns of a key/value head. Grid (tiles, kv_heads * D / C, splits), with 1 for splits where
// there is no room for parts. With `remembers` every tile is one token, C is D, and key and value go to the cache first.
template <int D, int C>
__device__ __forceinline__ void attend(const Projections& from, const Cache& cache, const uint32_t* tiles,
                                       const Results& results, bool remembers) {
  let_next_begin();
  wait_for_launches();
  const Tile tile = tile_at(tiles, blockIdx.x);
  // A row that the step is padded with.
  if (tile.vectors == 0) return;
  const int lane = threadIdx.x, group = from.heads / from.kv_heads;
  uint32_t positions[2];
#pragma unroll
  for (int vector = 0; vector < 2; vector++) {
    // Vectors that are not there attend to what the last one does.
    positions[vector] = tile.start + tile.token(min(lane / 4 + vector * 8, int(tile.vectors) - 1), group);
  }
  const uint32_t last = tile.start + tile.token(tile.vectors - 1, group), blocks = last / BLOCK_TOKENS + 1;
  const uint32_t splits = last / SPLIT_TOKENS + 1;
  if (blockIdx.z >= splits) return;
  const bool is_whole = !results.parts || splits == 1;
  if (remembers && (is_whole || blockIdx.z == splits - 1)) {
    from.remember(tile.first_row, last, cache.tables[tile.table + last / BLOCK_TOKENS], blockIdx.y, D, cache.keys,
                  cache.values);
    __syncwarp();
  }
  uint32_t queries[CHUNKS<D>][2][4];
  load_queries<D>(from, tile, blockIdx.y / (D / C), queries);
  const uint32_t first = is_whole ? 0 : blockIdx.z * SPLIT_BLOCKS;
  Mean<C> mean;
  attend_blocks<D, C>(cache, tile, first, is_whole ? blocks : min(first + SPLIT_BLOCKS, blocks), positions, queries, mean);
  if (!is_whole) {
    if (leave_part<C>(results, tile, mean, splits)) join_parts<D, C>(results, tile, group, splits);
    return;
  }
#pragma unroll
  for (int vector = 0; vector < 2; vector++) {
    int v = lane / 4 + vector * 8;
    if (v >= int(tile.vectors)) continue;
#pragma unroll
    for (int n = 0; n < C / 8; n++) {
      int element = n * 8 + lane % 4 * 2;
      results.put<D, C>(tile, group, v, element, mean.values[n][vector * 2] / mean.sum[vector]);
      results.put<D, C>(tile, group, v, element + 1, mean.values[n][vector * 2 + 1] / mean.sum[vector]);
    }
  }
}

#define ATTEND(D, C, name)                                                                                           \
  KERNEL(ATTEND_THREADS)                                                                                             \
  name(KERNEL_PROJECTIONS, half_t* keys, half_t* values, const uint32_t* tables, const uint32_t* tiles, void* output, \
       int is_bf16, float* parts, int part_vectors, uint32_t* arrivals, int remembers) {                             \
    attend<D, C>(PROJECTIONS, {keys, values, tables}, tiles, {output, is_bf16, parts, part_vectors, arrivals},       \
                 remembers != 0);                                                                                    \
  }                                                                                                                  \
  REGISTER(name, ATTEND_THREADS)

ATTEND(32, 32, attend_32)
ATTEND(64, 64, attend_64)
ATTEND(80, 80, attend_80)
ATTEND(96, 96, attend_96)
ATTEND(128, 128, attend_128)
ATTEND(256, 64, attend_256)

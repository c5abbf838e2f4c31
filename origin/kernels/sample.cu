// Choosing a token from a row of logits, step by step and sum by sum as the sampler in host memory does it
// (`backend/sampling/sampler.rs`), so that the same logits give the same token.
#include "device.cuh"

constexpr int SAMPLE_THREADS = 256;
constexpr int SAMPLE_WARPS = SAMPLE_THREADS / WARP;
// Weights are summed in runs of this many tokens.
constexpr int RUN = 256;
constexpr int RUN_SUMS = 8;
// The share of the greatest weight from which tokens are ranked at first; a thousandth of it at each further try.
constexpr float FIRST_CUTOFF = 1e-3f;
constexpr float LAST_CUTOFF = 1e-12f;
constexpr uint32_t NO_MASK = 0xffffffff;

// How one row is sampled.
struct Params {
  float temperature, inverse_temperature, top_p, min_p;
  float repetition_penalty, frequency_penalty, presence_penalty;
  // 0 keeps all.
  uint32_t top_k;
  // A uniform number in [0, 1) as its 64 bits.
  uint32_t uniform[2];
  // Pairs of a token and how often it was generated, and where in the lists they begin.
  uint32_t seen, seen_first;
  // Where in the lists the mask's words begin, or NO_MASK.
  uint32_t mask;
};

// A row's memory on the device.
struct Row {
  const float* logits;
  // (vocab): masked and penalised logits, and their weights.
  float* adjusted;
  float* weights;
  // (vocab / RUN, rounded up).
  double* sums;
  // (the power of 2 from vocab on): weight and token of the likeliest, for sorting.
  uint64_t* ranked;
  int vocab;
};

// What the threads of the block tell each other.
struct Shared {
  float values[SAMPLE_WARPS];
  int tokens[SAMPLE_WARPS];
  int counts[SAMPLE_THREADS];
  double total;
  int count;
  int token;
};

struct Best {
  float value;
  int token;
};

// e^a as the sampler's vectors compute it: a = n ln 2 + r, e^r by its Taylor polynomial of degree 6.
__device__ __forceinline__ float exponential(float a) {
  a = fminf(fmaxf(a, -87.0f), 88.0f);
  float whole = rintf(a * 1.44269504f);
  float r = fmaf(whole, -0.6933594f, a);
  r = fmaf(whole, 2.1219444e-4f, r);
  float y = 1.0f / 720.0f;
  y = fmaf(y, r, 1.0f / 120.0f);
  y = fmaf(y, r, 1.0f / 24.0f);
  y = fmaf(y, r, 1.0f / 6.0f);
  y = fmaf(y, r, 0.5f);
  y = fmaf(y, r, 1.0f);
  y = fmaf(y, r, 1.0f);
  return y * __uint_as_float(uint32_t(int(whole) + 127) << 23);
}

// The greatest logit, and the lowest token that has it; for every thread.
__device__ __forceinline__ Best greatest(const Row& row, Shared& shared) {
  Best best = {__uint_as_float(0xff800000), 0};
  for (int i = threadIdx.x; i < row.vocab; i += SAMPLE_THREADS) {
    if (row.adjusted[i] > best.value) best = {row.adjusted[i], i};
  }
  auto join = [&best](float value, int token) {
    if (value > best.value || (value == best.value && token < best.token)) best = {value, token};
  };
  for (int lanes = WARP / 2; lanes > 0; lanes /= 2) {
    join(__shfl_xor_sync(~0u, best.value, lanes), __shfl_xor_sync(~0u, best.token, lanes));
  }
  if (threadIdx.x % WARP == 0) {
    shared.values[threadIdx.x / WARP] = best.value;
    shared.tokens[threadIdx.x / WARP] = best.token;
  }
  __syncthreads();
  for (int warp = 0; warp < SAMPLE_WARPS; warp++) join(shared.values[warp], shared.tokens[warp]);
  __syncthreads();
  return best;
}

// weights = e^((adjusted - shift) * scale).
__device__ __forceinline__ void weigh(const Row& row, float shift, float scale) {
  for (int i = threadIdx.x; i < row.vocab; i += SAMPLE_THREADS) {
    row.weights[i] = exponential((row.adjusted[i] - shift) * scale);
  }
  __syncthreads();
}

// The sum of all weights, run by run, for every thread; the runs' sums stay in row.sums.
__device__ __forceinline__ double sum_weights(const Row& row, Shared& shared) {
  int runs = (row.vocab + RUN - 1) / RUN;
  for (int run = threadIdx.x; run < runs; run += SAMPLE_THREADS) {
    const float* weights = row.weights + size_t(run) * RUN;
    int count = min(RUN, row.vocab - run * RUN), whole = count / RUN_SUMS * RUN_SUMS;
    double sums[RUN_SUMS] = {}, sum = 0, rest = 0;
    for (int i = 0; i < whole; i += RUN_SUMS) {
#pragma unroll
      for (int j = 0; j < RUN_SUMS; j++) sums[j] += double(weights[i + j]);
    }
#pragma unroll
    for (int j = 0; j < RUN_SUMS; j++) sum += sums[j];
    for (int i = whole; i < count; i++) rest += double(weights[i]);
    row.sums[run] = sum + rest;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    double total = 0;
    for (int run = 0; run < runs; run++) total += row.sums[run];
    shared.total = total;
  }
  __syncthreads();
  double total = shared.total;
  __syncthreads();
  return total;
}

// Applies the mask.
__device__ __forceinline__ void mask(const Row& row, const uint32_t* words) {
  for (int i = threadIdx.x; i < row.vocab; i += SAMPLE_THREADS) {
    bool allowed = !words || (words[i / 32] >> i % 32 & 1);
    row.adjusted[i] = allowed ? row.logits[i] : __uint_as_float(0xff800000);
  }
  __syncthreads();
}

// Applies penalties to the tokens that were seen: pairs of a token and its count.
__device__ __forceinline__ void penalise(const Row& row, const Params& params, const uint32_t* seen) {
  for (uint32_t i = threadIdx.x; i < params.seen; i += SAMPLE_THREADS) {
    // What is no token of the vocabulary has no logit.
    if (seen[2 * i] >= uint32_t(row.vocab)) continue;
    float& logit = row.adjusted[seen[2 * i]];
    float repeated = logit > 0 ? logit / params.repetition_penalty : logit * params.repetition_penalty;
    logit = repeated - params.frequency_penalty * float(seen[2 * i + 1]) - params.presence_penalty;
  }
  __syncthreads();
}

// Tokens whose weight is at least the cutoff, to row.ranked in the order of their numbers; how many, for every thread.
__device__ __forceinline__ int gather(const Row& row, float cutoff, Shared& shared) {
  int part = (row.vocab + SAMPLE_THREADS - 1) / SAMPLE_THREADS;
  int first = min(int(threadIdx.x) * part, row.vocab), last = min(first + part, row.vocab), count = 0;
  for (int i = first; i < last; i++) count += row.weights[i] >= cutoff;
  shared.counts[threadIdx.x] = count;
  __syncthreads();
  int at = 0, total = 0;
  for (int thread = 0; thread < SAMPLE_THREADS; thread++) {
    if (thread < int(threadIdx.x)) at += shared.counts[thread];
    total += shared.counts[thread];
  }
  for (int i = first; i < last; i++) {
    // Greater weights first, of equal ones the lower token.
    if (row.weights[i] >= cutoff) row.ranked[at++] = uint64_t(__float_as_uint(row.weights[i])) << 32 | ~uint32_t(i);
  }
  __syncthreads();
  return total;
}

// Sorts the first `count` of row.ranked, the greatest first: bitonic (Batcher, 1968).
__device__ __forceinline__ void sort(const Row& row, int count) {
  int size = 1;
  while (size < count) size *= 2;
  for (int i = count + threadIdx.x; i < size; i += SAMPLE_THREADS) row.ranked[i] = 0;
  __syncthreads();
  for (int length = 2; length <= size; length *= 2) {
    for (int stride = length / 2; stride > 0; stride /= 2) {
      for (int i = threadIdx.x; i < size / 2; i += SAMPLE_THREADS) {
        int low = i / stride * stride * 2 + i % stride, high = low + stride;
        uint64_t a = row.ranked[low], b = row.ranked[high];
        bool descends = (low & length) == 0;
        if (descends ? a < b : a > b) {
          row.ranked[low] = b;
          row.ranked[high] = a;
        }
      }
      __syncthreads();
    }
  }
}

__device__ __forceinline__ double ranked_weight(const Row& row, int i) {
  return double(__uint_as_float(uint32_t(row.ranked[i] >> 32)));
}

// Keeps the top_k greatest weights, and of those the fewest that sum to at least top_p of theirs.
__device__ __forceinline__ void keep_top(const Row& row, int top_k, double top_p, Shared& shared) {
  bool keeps_all = top_k == row.vocab;
  double total = keeps_all ? sum_weights(row, shared) : 0;
  float cutoff = FIRST_CUTOFF;
  for (;;) {
    int count = gather(row, cutoff, shared);
    sort(row, count);
    count = min(count, top_k);
    if (threadIdx.x == 0) {
      double found = 0, sum = 0;
      for (int i = 0; i < count; i++) found += ranked_weight(row, i);
      double wanted = top_p * (keeps_all ? total : found);
      bool settles = count == top_k || cutoff == 0 || (keeps_all && found >= wanted);
      int kept = 0;
      while (kept < count) {
        sum += ranked_weight(row, kept++);
        if (sum >= wanted) break;
      }
      shared.count = settles ? kept : -1;
    }
    __syncthreads();
    int kept = shared.count;
    __syncthreads();
    if (kept >= 0) {
      for (int i = threadIdx.x; i < row.vocab; i += SAMPLE_THREADS) row.weights[i] = 0;
      __syncthreads();
      for (int i = threadIdx.x; i < kept; i += SAMPLE_THREADS) {
        row.weights[~uint32_t(row.ranked[i])] = __uint_as_float(uint32_t(row.ranked[i] >> 32));
      }
      __syncthreads();
      return;
    }
    cutoff = cutoff > LAST_CUTOFF ? cutoff * 1e-3f : 0;
  }
}

// The first token at which the running sum of weights exceeds `u` of the whole; by one thread. -1 if no weight is left.
__device__ __forceinline__ int choose(const Row& row, double u, double total) {
  double target = u * total, before = 0;
  int last = -1;
  for (int run = 0; run * RUN < row.vocab; run++) {
    if (row.sums[run] > 0 && before + row.sums[run] > target) {
      double running = before;
      for (int i = run * RUN; i < min((run + 1) * RUN, row.vocab); i++) {
        if (!(row.weights[i] > 0)) continue;
        running += double(row.weights[i]);
        last = i;
        if (running > target) return last;
      }
    }
    before += row.sums[run];
  }
  return last;
}

// What is found: the token, its logit, and the greatest logit and the sum of weights before penalties and temperature,
// from which the host computes the logarithm of the token's probability.
struct Found {
  uint32_t* token;
  float* logit;
  float* greatest;
  double* sum;
};

__device__ __forceinline__ void sample_row(const Row& row, const Params& params, const uint32_t* lists,
                                           Shared& shared, const Found& found) {
  mask(row, params.mask == NO_MASK ? nullptr : lists + params.mask);
  const Best raw = greatest(row, shared);
  if (raw.value == __uint_as_float(0xff800000)) {
    if (threadIdx.x == 0) {
      *found.token = 0;
      *found.logit = *found.greatest = raw.value;
    }
    return;
  }
  weigh(row, raw.value, 1);
  const double sum = sum_weights(row, shared);
  if (threadIdx.x == 0) {
    *found.greatest = raw.value;
    *found.sum = sum;
  }
  Best best = raw;
  if (params.seen > 0) {
    penalise(row, params, lists + params.seen_first);
    best = greatest(row, shared);
  }
  int chosen = best.token;
  if (params.temperature > 0) {
    if (params.seen > 0 || params.temperature != 1) weigh(row, best.value, params.inverse_temperature);
    int top_k = params.top_k == 0 ? row.vocab : int(min(params.top_k, uint32_t(row.vocab)));
    if (top_k < row.vocab || params.top_p < 1) keep_top(row, top_k, double(params.top_p), shared);
    if (params.min_p > 0) {
      float least = fminf(params.min_p, 1.0f);
      for (int i = threadIdx.x; i < row.vocab; i += SAMPLE_THREADS) {
        if (row.weights[i] < least) row.weights[i] = 0;
      }
      __syncthreads();
    }
    double total = sum_weights(row, shared);
    if (threadIdx.x == 0) {
      double u = __longlong_as_double(int64_t(uint64_t(params.uniform[1]) << 32 | params.uniform[0]));
      shared.token = choose(row, u, total);
    }
    __syncthreads();
    if (shared.token >= 0) chosen = shared.token;
  }
  if (threadIdx.x == 0) {
    *found.token = uint32_t(chosen);
    *found.logit = row.logits[chosen];
  }
}

// Samples row blockIdx.x of logits (rows, vocab). counts: how many rows of the step and of logits are there, the others being
// padding; params: (rows); lists: as the parameters point into them; scratch as in Row, a row each, `sums_stride` and
// `ranked_stride` apart; what is found: (rows) each.
KERNEL(SAMPLE_THREADS)
sample(const float* logits, const uint32_t* counts, const uint32_t* params, const uint32_t* lists, float* adjusted,
       float* weights, double* sums, uint64_t* ranked, uint32_t* tokens, float* token_logits, float* greatest_logits,
       double* weight_sums, int vocab, int sums_stride, int ranked_stride) {
  SHARED(Shared, shared, 1);
  let_next_begin();
  wait_for_launches();
  const size_t index = blockIdx.x;
  if (index >= counts[1]) return;
  const Row row = {logits + index * vocab, adjusted + index * vocab,      weights + index * vocab,
                   sums + index * sums_stride, ranked + index * ranked_stride, vocab};
  const Found found = {tokens + index, token_logits + index, greatest_logits + index, weight_sums + index};
  sample_row(row, reinterpret_cast<const Params*>(params)[index], lists, *shared, found);
}
REGISTER(sample, SAMPLE_THREADS)

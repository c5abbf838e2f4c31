//! The sampler over one row of logits: the reference for every backend.

use super::philox::uniform;
use super::{SampleParams, Sampled};
use crate::backend::batch::SampleRow;

/// Weights are summed in runs of this many tokens, so that the choice need not walk the whole vocabulary.
const RUN: usize = 256;
/// The share of the greatest weight from which tokens are ranked at first; a thousandth of it at each further try.
const FIRST_CUTOFF: f32 = 1e-3;

/// `to[i] = exp((x[i] - shift) * scale)`, the one pass over the vocabulary that a processor's vectors pay for.
pub type Exponentials<'a> = &'a dyn Fn(&[f32], f32, f32, &mut [f32]);

/// Scratch of the sampler, kept between rows.
#[derive(Debug, Default)]
pub struct Sampler {
    logits: Vec<f32>,
    weights: Vec<f32>,
    sums: Vec<f64>,
    history: Vec<u32>,
    ranked: Vec<(f32, u32)>,
}

impl Sampler {
    /// Chooses a token from a row of logits, `(vocab)`. Where the mask allows none or every logit is minus infinity,
    /// token 0 with a log-probability of minus infinity.
    pub fn sample(&mut self, logits: &[f32], row: &SampleRow<'_>, exponentials: Exponentials<'_>) -> Sampled {
        let params = &row.params;
        self.logits.clear();
        self.logits.extend_from_slice(logits);
        if let Some(mask) = row.mask {
            apply_mask(&mut self.logits, mask);
        }
        let (raw_best, raw_max) = greatest(&self.logits);
        if raw_max == f32::NEG_INFINITY {
            return Sampled { token: 0, log_probability: f32::NEG_INFINITY };
        }
        self.weights.resize(self.logits.len(), 0.0);
        exponentials(&self.logits, raw_max, 1.0, &mut self.weights);
        let log_sum = f64::from(raw_max) + self.sum_weights().ln();

        let penalised = penalises(params) && !row.history.is_empty();
        let saved = if penalised { self.penalise(params, row.history) } else { Vec::new() };
        let (best, max) = if penalised { greatest(&self.logits) } else { (raw_best, raw_max) };
        let token = if params.temperature <= 0.0 {
            best
        } else {
            if penalised || params.temperature.to_bits() != 1.0_f32.to_bits() {
                exponentials(&self.logits, max, 1.0 / params.temperature, &mut self.weights);
            }
            self.filter(params);
            self.choose(uniform(params.seed, params.stream, row.position)).unwrap_or(best)
        };
        let logit = saved.iter().find(|&&(id, _)| id == token).map_or(self.logits[token as usize], |s| s.1);
        Sampled { token, log_probability: (f64::from(logit) - log_sum) as f32 }
    }

    /// Applies penalties to the tokens of the history; returns their logits from before.
    fn penalise(&mut self, params: &SampleParams, history: &[u32]) -> Vec<(u32, f32)> {
        self.history.clear();
        self.history.extend(history.iter().filter(|&&token| (token as usize) < self.logits.len()));
        self.history.sort_unstable();
        let mut before = Vec::new();
        for seen in self.history.chunk_by(|a, b| a == b) {
            let logit = &mut self.logits[seen[0] as usize];
            before.push((seen[0], *logit));
            let repeated = if *logit > 0.0 {
                *logit / params.repetition_penalty
            } else {
                *logit * params.repetition_penalty
            };
            *logit = repeated - params.frequency_penalty * seen.len() as f32 - params.presence_penalty;
        }
        before
    }

    /// Sets the weights of the tokens that top-k, top-p and min-p leave out to 0. The greatest weight is 1.
    fn filter(&mut self, params: &SampleParams) {
        let vocab = self.weights.len();
        let top_k = if params.top_k == 0 { vocab } else { (params.top_k as usize).min(vocab) };
        if top_k < vocab || params.top_p < 1.0 {
            self.keep_top(top_k, f64::from(params.top_p));
        }
        if params.min_p > 0.0 {
            // At least the greatest weight stays, also for a `min_p` past 1.
            let least = params.min_p.min(1.0);
            for weight in self.weights.iter_mut().filter(|weight| **weight < least) {
                *weight = 0.0;
            }
        }
    }

    /// Keeps the `top_k` greatest weights, and of those the fewest that sum to at least `top_p` of theirs; of equal
    /// weights the lower ids come first.
    fn keep_top(&mut self, top_k: usize, top_p: f64) {
        let total = if top_k == self.weights.len() { Some(self.sum_weights()) } else { None };
        let mut cutoff = FIRST_CUTOFF;
        let kept = loop {
            self.ranked.clear();
            let candidates = self.weights.iter().zip(0..).filter(|&(&weight, _)| weight >= cutoff);
            self.ranked.extend(candidates.map(|(&weight, token)| (weight, token)));
            self.ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            self.ranked.truncate(top_k);
            let all = self.ranked.len() == top_k || cutoff == 0.0;
            let found: f64 = self.ranked.iter().map(|ranked| f64::from(ranked.0)).sum();
            let wanted = top_p * total.unwrap_or(found);
            // The candidates are the head of the ranking; they settle it if all are there or they hold the mass.
            if all || (total.is_some() && found >= wanted) {
                break head_of(&self.ranked, wanted);
            }
            cutoff = if cutoff > 1e-12 { cutoff * 1e-3 } else { 0.0 };
        };
        self.ranked.truncate(kept);
        self.weights.fill(0.0);
        for &(weight, token) in &self.ranked {
            self.weights[token as usize] = weight;
        }
    }

    /// Sums the weights run by run.
    fn sum_weights(&mut self) -> f64 {
        self.sums.clear();
        self.sums.extend(self.weights.chunks(RUN).map(run_sum));
        self.sums.iter().sum()
    }

    /// The first token, by id, at which the running sum of weights exceeds `u` of the whole.
    fn choose(&mut self, u: f64) -> Option<u32> {
        let target = u * self.sum_weights();
        let mut before = 0.0;
        let mut last = None;
        for (run, (weights, sum)) in self.weights.chunks(RUN).zip(&self.sums).enumerate() {
            if *sum > 0.0 && before + sum > target {
                let mut running = before;
                for (i, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
                    running += f64::from(weight);
                    last = Some((run * RUN + i) as u32);
                    if running > target {
                        return last;
                    }
                }
            }
            before += sum;
        }
        // Rounding may leave the running sum at the target: the last token that had a weight.
        last
    }
}

/// How many of the ranked weights sum to at least `wanted`; at least one.
fn head_of(ranked: &[(f32, u32)], wanted: f64) -> usize {
    let mut sum = 0.0;
    let reached = ranked.iter().position(|&(weight, _)| {
        sum += f64::from(weight);
        sum >= wanted
    });
    reached.map_or(ranked.len(), |index| index + 1)
}

/// A run's sum in eight interleaved sums, in a fixed order.
fn run_sum(weights: &[f32]) -> f64 {
    let (chunks, rest) = weights.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for chunk in chunks {
        for (sum, &weight) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(weight);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&weight| f64::from(weight)).sum::<f64>()
}

/// The greatest logit and the lowest id that has it.
fn greatest(logits: &[f32]) -> (u32, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (run, chunk) in logits.chunks(RUN).enumerate() {
        let max = chunk.iter().fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max });
        if max > best.1 {
            let first = chunk.iter().position(|&x| x >= max).unwrap_or(0);
            best = ((run * RUN + first) as u32, max);
        }
    }
    best
}

/// Sets the logits of tokens without their bit to minus infinity.
fn apply_mask(logits: &mut [f32], mask: &[u32]) {
    for (chunk, bits) in logits.chunks_mut(32).zip(mask) {
        for (i, logit) in chunk.iter_mut().enumerate() {
            if bits >> i & 1 == 0 {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}

/// Whether any penalty is on.
pub(crate) fn penalises(params: &SampleParams) -> bool {
    let neutral = SampleParams::default();
    params.repetition_penalty.to_bits() != neutral.repetition_penalty.to_bits()
        || params.frequency_penalty != 0.0
        || params.presence_penalty != 0.0
}

//! What a model takes of a device's memory, term by term, and what would fit where it is too much.

use std::fmt::{self, Display};

use crate::backend::batch::BLOCK_TOKENS;
use crate::backend::{DeviceMemory, StepLimits};
use crate::engine::limits::EngineLimits;
use crate::model::quantize::Quantize;
use crate::settings::{CONTEXT_TOKENS, SEQUENCES};

/// Bytes of each part, by what decides on it.
pub(super) struct Demand<'a> {
    /// Of all weights in a format; as the file has them where absent.
    pub(super) weights: &'a dyn Fn(Option<Quantize>) -> u64,
    /// The format that was asked for.
    pub(super) format: Option<Quantize>,
    /// Of what steps take.
    pub(super) step: &'a dyn Fn(StepLimits) -> u64,
    /// Of a block of the KV cache, in all layers.
    pub(super) block: u64,
}

/// A model that does not fit into a device's memory with a single context.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "the model does not fit into the memory: {weights} for weights, {step} for steps of {tokens} tokens and {sequences} \
     sequences and {kv} for one context of {context} tokens are needed, and {usable} may be used ({share} of {total}, of \
     which {free} are free); {}",
    .remedies.advice()
)]
pub struct Shortage {
    weights: Bytes,
    step: Bytes,
    tokens: usize,
    sequences: usize,
    kv: Bytes,
    context: usize,
    usable: Bytes,
    share: f64,
    total: Bytes,
    free: Bytes,
    remedies: Remedies,
}

/// Settings each of which would suffice.
#[derive(Debug, Clone, PartialEq)]
struct Remedies(Vec<String>);

/// A number of bytes, written for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bytes(u64);

impl Demand<'_> {
    /// Blocks of the KV cache that fit into a share of the memory: one context's at least.
    pub(super) fn blocks_within(
        &self,
        limits: &EngineLimits,
        memory: DeviceMemory,
        share: f64,
    ) -> Result<usize, Shortage> {
        let usable = ((memory.total as f64 * share) as u64).min(memory.free);
        let (weights, step) = ((self.weights)(self.format), (self.step)(limits.model().step));
        let left = usable.saturating_sub(weights + step);
        let kv = self.context(limits.context_max);
        if left >= kv {
            return Ok((left / self.block) as usize);
        }
        Err(Shortage {
            weights: Bytes(weights),
            step: Bytes(step),
            tokens: limits.batch_tokens_max,
            sequences: limits.sequences_max,
            kv: Bytes(kv),
            context: limits.context_max,
            usable: Bytes(usable),
            share,
            total: Bytes(memory.total),
            free: Bytes(memory.free),
            remedies: self.remedies(limits, usable),
        })
    }

    /// Bytes of one context.
    fn context(&self, tokens: usize) -> u64 {
        tokens.div_ceil(BLOCK_TOKENS) as u64 * self.block
    }

    fn needed(&self, limits: &EngineLimits, format: Option<Quantize>) -> u64 {
        (self.weights)(format) + (self.step)(limits.model().step) + self.context(limits.context_max)
    }

    /// Each setting's greatest value that suffices by itself: halves of what was asked for, or another format.
    fn remedies(&self, limits: &EngineLimits, usable: u64) -> Remedies {
        let halves = |value: usize, min: usize| {
            std::iter::successors(Some(value / 2), |value| Some(value / 2)).take_while(move |&v| v >= min)
        };
        let fits = |limits: &EngineLimits| self.needed(limits, self.format) <= usable;
        let context = halves(limits.context_max, *CONTEXT_TOKENS.start())
            .find(|&context_max| fits(&EngineLimits { context_max, ..*limits }))
            .map(|context| format!("context_max {context}"));
        let sequences = halves(limits.sequences_max, *SEQUENCES.start())
            .find(|&sequences_max| fits(&EngineLimits { sequences_max, ..*limits }))
            .map(|sequences| format!("sequences_max {sequences}"));
        let format = [Quantize::Int8, Quantize::Int4]
            .into_iter()
            .find(|&format| self.needed(limits, Some(format)) <= usable)
            .map(|format| format!("quantize {format}"));
        Remedies([context, sequences, format].into_iter().flatten().collect())
    }
}

impl Remedies {
    fn advice(&self) -> String {
        match self.0.as_slice() {
            [] => String::from("no other context_max, sequences_max or quantize suffices by itself"),
            some => format!("what would fit: {}", some.join(", or ")),
        }
    }
}

impl Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        if bytes < 1e9 { write!(f, "{:.1} MB", bytes / 1e6) } else { write!(f, "{:.2} GB", bytes / 1e9) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: EngineLimits =
        EngineLimits { queue_max: 8, sequences_max: 64, batch_tokens_max: 512, context_max: 2048, blocks: 1 };

    /// 100 MB of weights, 50 as Int8, 30 as Int4; 1 MB a sequence; 0.1 MB a block.
    fn blocks(free: u64) -> Result<usize, String> {
        let demand = Demand {
            weights: &|format| match format {
                None => 100_000_000,
                Some(Quantize::Int8) => 50_000_000,
                Some(Quantize::Int4) => 30_000_000,
            },
            format: None,
            step: &|step| step.sequences as u64 * 1_000_000,
            block: 100_000,
        };
        let memory = DeviceMemory { total: 1_000_000_000, free };
        demand.blocks_within(&LIMITS, memory, 0.2).map_err(|shortage| shortage.to_string())
    }

    #[test]
    fn blocks_fill_what_weights_and_steps_leave() {
        // Of a fifth of all, 164 MB are taken; a context takes 12.8.
        assert_eq!(blocks(1_000_000_000), Ok(360));
        assert_eq!(blocks(176_800_000), Ok(128));
    }

    #[test]
    fn a_shortage_says_what_was_asked_for_and_what_would_fit() {
        assert_eq!(
            blocks(176_799_999).expect_err("a byte too few"),
            "the model does not fit into the memory: 100.0 MB for weights, 64.0 MB for steps of 512 tokens and 64 \
             sequences and 12.8 MB for one context of 2048 tokens are needed, and 176.8 MB may be used (0.2 of 1.00 GB, of \
             which 176.8 MB are free); what would fit: context_max 1024, or sequences_max 32, or quantize int8"
        );
        let least = blocks(50_000_000).expect_err("too few");
        assert!(
            least.ends_with("no other context_max, sequences_max or quantize suffices by itself"),
            "{least}"
        );
        let int4 = blocks(110_000_000).expect_err("too few");
        assert!(int4.ends_with("what would fit: quantize int4"), "{int4}");
    }
}

//! What the steps of a model take on the device beside weights, activations and cache, set aside before the first of them:
//! recorded launches hold addresses, so nothing may move.

use super::Cuda;
use super::driver::{Driver, DriverError};
use super::plan;
use super::room::rounded_up;
use super::sampling;
use super::tiles::{PART_VECTORS_MAX, SPLIT_TOKENS, Sharing};
use crate::backend::StepLimits;
use crate::backend::batch::BLOCK_TOKENS;
use crate::model::config::ModelConfig;

/// Sizes for a model and its largest step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reservation {
    limits: StepLimits,
    vocab: usize,
    /// Bytes of the rows that a product multiplies.
    operand: usize,
    /// Bytes of the parts of contexts that are split.
    parts: usize,
    /// Words of the plan.
    plan: usize,
    /// Bytes of the cache's blocks for rows that are not there, and of its sines and cosines.
    cache: usize,
}

impl Reservation {
    pub(super) fn new(model: &ModelConfig, limits: StepLimits) -> Self {
        let sharing = Sharing { group: model.heads / model.kv_heads, kv_heads: model.kv_heads };
        let widest = model.dim.max(model.query_width()).max(model.hidden);
        let part_vectors = if limits.context > SPLIT_TOKENS { PART_VECTORS_MAX } else { 0 };
        let lists = limits.sequences * sampling::list_words_max(model.vocab, limits.context);
        Self {
            limits,
            vocab: model.vocab,
            operand: limits.rows_max() * widest * size_of::<u16>(),
            parts: part_vectors * (model.head_dim + 2) * size_of::<f32>(),
            plan: plan::words_max(limits, sharing, lists),
            cache: plan::spare_blocks(limits) * BLOCK_TOKENS * model.kv_token_bytes()
                + limits.context * model.head_dim * size_of::<f32>(),
        }
    }

    /// Bytes on the device, those included that the cache allocates.
    pub(super) fn bytes(&self) -> u64 {
        let sequences = self.limits.sequences;
        let rooms = [
            self.operand,
            self.parts,
            self.plan * size_of::<u32>(),
            sampling::scratch_bytes(sequences, self.vocab),
            sampling::found_bytes(sequences),
            self.cache,
        ];
        rooms.map(rounded_up).iter().sum::<usize>() as u64
    }
}

impl<D: Driver> Cuda<D> {
    /// Sets it aside.
    pub(super) fn set_aside(&mut self, sizes: Reservation) -> Result<(), DriverError> {
        let Self { driver, operand, parts, plan, sampler, .. } = self;
        operand.hold(driver, sizes.operand).map_err(|error| error.meant_for("the operands of products"))?;
        parts.hold(driver, sizes.parts).map_err(|error| error.meant_for("attention to long contexts"))?;
        plan.reserve(driver, sizes.plan).map_err(|error| error.meant_for("plans of steps"))?;
        let sampled = sampler.reserve(driver, sizes.limits.sequences, sizes.vocab);
        sampled.map_err(|error| error.meant_for("sampling"))
    }
}

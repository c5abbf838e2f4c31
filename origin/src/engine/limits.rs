//! What bounds the engine. Every queue, batch and context has a number here.

use crate::backend::StepLimits;
use crate::backend::batch::BLOCK_TOKENS;
use crate::model::llama::ModelLimits;

/// The engine's limits, derived from the settings before the engine starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineLimits {
    /// Requests that may wait for admission; one more is refused as overloaded.
    pub queue_max: usize,
    /// Sequences decoded at once, over all requests.
    pub sequences_max: usize,
    /// Tokens of one step, prefill chunks and decodes together.
    pub batch_tokens_max: usize,
    /// Longest context of one sequence, prompt and generated tokens together.
    pub context_max: usize,
    /// Blocks of the KV cache.
    pub blocks: usize,
}

impl EngineLimits {
    /// Tokens that one sequence may hold: bounded by the context, and by the KV cache if that is smaller.
    pub fn tokens_max(&self) -> usize {
        self.context_max.min(self.blocks * BLOCK_TOKENS)
    }

    /// What follows from them for the model.
    pub fn model(&self) -> ModelLimits {
        let step = StepLimits {
            tokens: self.batch_tokens_max,
            sequences: self.sequences_max,
            context: self.context_max,
        };
        ModelLimits { blocks: self.blocks, step }
    }
}

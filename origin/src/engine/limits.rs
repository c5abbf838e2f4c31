//! What bounds the engine. Every queue, batch and context has a number here.

use super::request::{Request, SubmitError};
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

    /// Refuses a request that can never run.
    ///
    /// # Panics
    /// If it has no prompt or no guide.
    pub(super) fn admit(&self, request: &Request) -> Result<(), SubmitError> {
        assert!(
            !request.prompt.is_empty() && !request.guides.is_empty(),
            "a request has a prompt and a guide"
        );
        let (needed, limit) = (request.prompt.len() + request.tokens_max, self.tokens_max());
        if needed > limit {
            return Err(SubmitError::TooLong { needed, limit });
        }
        let (needed, limit) = (request.sequences(), self.sequences_max);
        if needed > limit {
            return Err(SubmitError::TooWide { needed, limit });
        }
        Ok(())
    }

    /// What is within both limits.
    pub(super) fn within(self, other: Self) -> Self {
        Self {
            queue_max: self.queue_max.min(other.queue_max),
            sequences_max: self.sequences_max.min(other.sequences_max),
            batch_tokens_max: self.batch_tokens_max.min(other.batch_tokens_max),
            context_max: self.context_max.min(other.context_max),
            blocks: self.blocks.min(other.blocks),
        }
    }
}

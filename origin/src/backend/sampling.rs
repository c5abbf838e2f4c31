//! Sampling parameters, the counter-based generator, and the sampler over logits in host memory.

pub mod philox;
mod sampler;
#[cfg(test)]
mod tests;

pub(crate) use sampler::penalises;
pub use sampler::{Exponentials, Sampler};

/// How the next token is chosen from its logits. Filters apply in the order: mask, penalties, temperature, top-k,
/// top-p, min-p.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleParams {
    /// Divides the logits; 0 takes the greatest logit (ties go to the lower id).
    pub temperature: f32,
    /// Keep this many of the most likely tokens; 0 keeps all.
    pub top_k: u32,
    /// Keep the fewest most likely tokens whose probabilities sum to at least this; 1 keeps all.
    pub top_p: f32,
    /// Keep tokens at least this share as likely as the likeliest; 0 keeps all.
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of tokens seen in the history; 1 leaves them (CTRL, 2019).
    pub repetition_penalty: f32,
    /// Subtracted from a token's logit for each time it is in the history.
    pub frequency_penalty: f32,
    /// Subtracted once from the logit of a token that is in the history.
    pub presence_penalty: f32,
    /// Key of the generator: equal seed and stream give equal choices at equal positions.
    pub seed: u64,
    /// Second half of the key: the variant or candidate.
    pub stream: u64,
}

impl Default for SampleParams {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            seed: 0,
            stream: 0,
        }
    }
}

/// A chosen token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampled {
    /// Its id.
    pub token: u32,
    /// Natural logarithm of its probability under the model (after the mask, before penalties and temperature).
    pub log_probability: f32,
}

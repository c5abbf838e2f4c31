//! What the client gets: variants of copy, each with its checks and score.

mod fields;

use serde::{Deserialize, Serialize};

pub use self::fields::Fields;
use crate::check::Check;
use crate::score::Score;

/// The answer to a brief.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Copy {
    /// Its id, `copy_` and 22 characters or more.
    pub id: String,
    /// The id of the channel.
    pub channel: String,
    /// The revision of the channel's rules by which it was checked.
    pub channel_revision: u32,
    /// The language it is written in.
    pub language: String,
    /// The model that wrote it.
    pub model: ModelRef,
    /// The seed that was used.
    pub seed: u64,
    /// Tokens that went in and out.
    pub usage: Usage,
    /// Where the time went.
    pub timing_ms: TimingMs,
    /// The variants, in the order of their ids.
    pub variants: Vec<Variant>,
    /// The id of the variant with the highest score.
    pub best: String,
}

/// One way to say it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// `v1`, `v2` and so on.
    pub id: String,
    /// The texts by field.
    pub fields: Fields,
    /// Every check that was made.
    pub checks: Vec<Check>,
    /// Whether every check holds that is not advisory.
    pub ok: bool,
    /// How good it is.
    pub score: Score,
}

/// The model that wrote a copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelRef {
    /// Its name.
    pub id: String,
    /// `sha256:` and the digest over weights and adapters.
    pub fingerprint: String,
}

/// Tokens of one request, over all its variants and candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Those of them whose keys and values were already computed.
    pub cached_tokens: u64,
    /// Tokens that were written.
    pub completion_tokens: u64,
}

/// Where the time of one request went, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TimingMs {
    /// Waiting for the engine.
    pub queue: f64,
    /// Reading the prompt.
    pub prefill: f64,
    /// Writing.
    pub decode: f64,
    /// From the request's arrival to the finished copy.
    pub total: f64,
}

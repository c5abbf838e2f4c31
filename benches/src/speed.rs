//! What is measured of an engine: how fast it reads prompts and how fast it writes.

use serde::Deserialize;

/// The work: several sequences at once, each with a prompt of one length and an answer of one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Sequences at once.
    pub sequences: usize,
    /// Tokens of each prompt.
    pub prompt: usize,
    /// Tokens of each answer.
    pub answer: usize,
}

impl Shape {
    /// Tokens of all sequences together.
    pub fn tokens(self) -> usize {
        self.sequences * (self.prompt + self.answer)
    }
}

/// Tokens a second, over all sequences together.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Speed {
    /// Of the prompts.
    #[serde(rename = "speed_pp")]
    pub prompt: f64,
    /// Of the answers.
    #[serde(rename = "speed_tg")]
    pub answer: f64,
}

//! One step's work as flat arrays, the layout that every backend reads.

use super::sampling::SampleParams;

/// Tokens in one block of the paged KV cache.
pub const BLOCK_TOKENS: usize = 16;

/// The tokens of one step, of several sequences: prefill chunks and single decode tokens alike.
///
/// Sequences follow one another in `tokens` in the order of `sequences`. A token at position `p` of its sequence
/// writes its key and value to slot `p % 16` of block `blocks[p / 16]`, and attends to positions `0..=p`.
#[derive(Debug, Default)]
pub struct Batch<'a> {
    /// `(tokens)`: ids.
    pub tokens: &'a [u32],
    /// One entry a sequence.
    pub sequences: &'a [SequenceSpan<'a>],
    /// The rows whose next token is wanted.
    pub samples: &'a [SampleRow<'a>],
}

/// One sequence's part of a [`Batch`].
#[derive(Debug, Clone, Copy)]
pub struct SequenceSpan<'a> {
    /// Position of its first token of this step: the tokens already in the KV cache.
    pub start: usize,
    /// Tokens of this step, at least one.
    pub count: usize,
    /// The sequence's block table; holds at least `start + count` slots.
    pub blocks: &'a [u32],
}

/// A row of the batch to sample from.
#[derive(Debug, Clone, Copy)]
pub struct SampleRow<'a> {
    /// Index into [`Batch::tokens`].
    pub row: usize,
    /// How to choose.
    pub params: SampleParams,
    /// Position of the token to be chosen, the counter of the generator.
    pub position: u64,
    /// Tokens that penalties count: what this sequence has generated so far.
    pub history: &'a [u32],
    /// Allowed tokens, one bit each (`vocab.div_ceil(32)` words); all where absent.
    pub mask: Option<&'a [u32]>,
}

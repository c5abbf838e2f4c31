//! What steers a variant while it is decoded.
//!
//! A variant grows by *stretches* (a line, a sentence, or everything). For each stretch the engine samples several
//! *branches* from the same point, side by side in one batch. When every branch is done the guide chooses one; the
//! others are dropped, the chosen one is cut to what the guide keeps, forced tokens are appended, and the next stretch
//! branches off there. A guide with one branch that is done at the end is plain sampling.

use crate::backend::sampling::{SampleParams, Sampled};

/// How a branch's next token is sampled.
#[derive(Debug, Clone, Copy)]
pub struct Sampling<'a> {
    /// Temperature, filters, penalties and the generator's key.
    pub params: SampleParams,
    /// Allowed tokens, one bit each; all where absent.
    pub mask: Option<&'a [u32]>,
}

/// Whether a branch goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Sample its next token.
    More,
    /// Its stretch is complete; it waits for the others.
    Done,
}

/// What follows when every branch is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Branch again behind the first `keep` tokens of `branch`'s stretch and the `forced` ones.
    Continue {
        /// The chosen branch.
        branch: usize,
        /// How many of its stretch's tokens stay; 0 samples the stretch anew.
        keep: usize,
        /// Tokens to append without sampling.
        forced: Vec<u32>,
    },
    /// The variant is complete.
    Finish,
}

/// Steers one variant. It runs on the engine's thread: keep it short, and do no I/O.
pub trait Guide: Send {
    /// Branches of every stretch, at least one; constant.
    fn branches(&self) -> usize;

    /// How to sample the branch's next token.
    fn sampling(&self, branch: usize) -> Sampling<'_>;

    /// Takes the branch's newly sampled token.
    fn advance(&mut self, branch: usize, sampled: Sampled) -> Progress;

    /// Chooses among the branches, all of them done.
    fn select(&mut self) -> Selection;
}

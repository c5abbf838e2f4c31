//! One row of tokens that is computed, sampled from, forked and rewound.

use std::rc::Rc;

use super::blocks::{BlockCopy, BlockTable, ChainHash, OutOfBlocks};
use crate::backend::batch::BLOCK_TOKENS;

/// What a sequence is of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The prompt; it forks into every branch of every variant.
    Prompt,
    /// A variant's chosen tokens; it forks into the variant's branches.
    Stem { variant: usize },
    /// One of the variant's alternatives.
    Branch { variant: usize, branch: usize },
}

impl Place {
    pub(super) fn variant(self) -> Option<usize> {
        match self {
            Place::Prompt => None,
            Place::Stem { variant } | Place::Branch { variant, .. } => Some(variant),
        }
    }
}

/// Tokens, and how many of them the KV cache holds.
#[derive(Debug)]
pub(super) struct Sequence {
    /// Its request; younger requests have greater numbers.
    pub(super) request: u64,
    pub(super) place: Place,
    /// Prompt and everything behind it.
    pub(super) tokens: Vec<u32>,
    pub(super) prompt_count: usize,
    /// Where the current stretch began.
    pub(super) stretch_start: usize,
    /// Tokens in the KV cache; fewer than `tokens`, whose last one is always still to be computed.
    pub(super) computed: usize,
    pub(super) table: BlockTable,
    /// Names of the prompt's full blocks.
    pub(super) hashes: Rc<[ChainHash]>,
    /// How many of them this sequence has published or found.
    pub(super) published: usize,
}

impl Sequence {
    pub(super) fn prompt(request: u64, tokens: Vec<u32>, hashes: Rc<[ChainHash]>, table: BlockTable) -> Self {
        let count = tokens.len();
        Self {
            request,
            place: Place::Prompt,
            tokens,
            prompt_count: count,
            stretch_start: count,
            computed: 0,
            table,
            hashes,
            published: 0,
        }
    }

    /// Tokens still to be computed.
    pub(super) fn pending(&self) -> usize {
        self.tokens.len() - self.computed
    }

    /// What was generated behind the prompt.
    pub(super) fn generated(&self) -> &[u32] {
        &self.tokens[self.prompt_count..]
    }

    /// Notes that `count` more tokens are in the KV cache, and publishes the prompt's blocks that became full.
    pub(super) fn advance(&mut self, count: usize) {
        self.computed += count;
        while self.published < self.hashes.len() && self.computed >= (self.published + 1) * BLOCK_TOKENS {
            let start = self.published * BLOCK_TOKENS;
            let block = &self.tokens[start..start + BLOCK_TOKENS];
            self.table.publish(self.published, self.hashes[self.published], block);
            self.published += 1;
        }
    }

    /// A copy that goes on from the same tokens, all of them computed.
    pub(super) fn fork(&self, place: Place) -> Result<(Self, Option<BlockCopy>), OutOfBlocks> {
        let (table, copy) = self.table.fork(self.computed)?;
        Ok((self.copied(place, table, self.computed), copy))
    }

    /// The same copy with nothing computed, for when no block is left to fork into.
    pub(super) fn fork_uncomputed(&self, place: Place, empty: BlockTable) -> Self {
        let mut copy = self.copied(place, empty, 0);
        copy.published = 0;
        copy
    }

    fn copied(&self, place: Place, table: BlockTable, computed: usize) -> Self {
        Self {
            request: self.request,
            place,
            tokens: self.tokens.clone(),
            prompt_count: self.prompt_count,
            stretch_start: self.stretch_start,
            computed,
            table,
            hashes: Rc::clone(&self.hashes),
            published: self.published,
        }
    }

    /// Turns a branch into its variant's stem: `keep` tokens of the stretch stay, `forced` ones follow.
    ///
    /// The last token is left to be computed, also where it was before: its row gives the next logits, and the same
    /// token at the same position writes the same key and value again.
    pub(super) fn continue_as_stem(&mut self, variant: usize, keep: usize, forced: &[u32]) {
        self.place = Place::Stem { variant };
        self.tokens.truncate(self.stretch_start + keep);
        self.computed = self.computed.min(self.tokens.len());
        self.tokens.extend_from_slice(forced);
        self.computed = self.computed.min(self.tokens.len() - 1);
        self.table.truncate_to(self.computed);
        self.stretch_start = self.tokens.len();
    }

    /// Gives back every block; all tokens are to be computed again.
    pub(super) fn forget(&mut self) {
        self.table.truncate_to(0);
        self.computed = 0;
        self.published = 0;
    }
}

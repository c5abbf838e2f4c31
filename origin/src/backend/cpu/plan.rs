//! A batch, worked out for the kernels: where each row's keys go and what each row attends to.

use super::grid::Cuts;
use crate::backend::batch::{BLOCK_TOKENS, Batch};
use std::ops::Range;

/// Rows of one sequence whose attention one task computes together.
const ATTENTION_ROWS: usize = 8;

/// One step's rows.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    tokens: Vec<u32>,
    /// Of each row: its sequence and its position in it.
    places: Vec<(usize, usize)>,
    /// Of each sequence: its part of `blocks`.
    tables: Vec<Range<usize>>,
    blocks: Vec<u32>,
    /// Rows to compute logits for.
    samples: Vec<usize>,
    /// Where attention tasks begin and end, in rows.
    bounds: Vec<usize>,
}

impl Plan {
    /// Takes in the batch of the coming step.
    pub(crate) fn set(&mut self, batch: &Batch<'_>) {
        self.places.clear();
        self.tables.clear();
        self.blocks.clear();
        self.bounds.clear();
        self.bounds.push(0);
        self.tokens.clear();
        self.tokens.extend_from_slice(batch.tokens);
        for (index, sequence) in batch.sequences.iter().enumerate() {
            let first = self.places.len();
            self.places.extend((0..sequence.count).map(|i| (index, sequence.start + i)));
            self.bounds.extend((first..first + sequence.count).step_by(ATTENTION_ROWS).skip(1));
            self.bounds.push(first + sequence.count);
            let table = self.blocks.len();
            let used = (sequence.start + sequence.count).div_ceil(BLOCK_TOKENS);
            self.blocks.extend_from_slice(&sequence.blocks[..used]);
            self.tables.push(table..table + used);
        }
        self.samples.clear();
        self.samples.extend(batch.samples.iter().map(|sample| sample.row));
    }

    /// Tokens of the step.
    pub(crate) fn rows(&self) -> usize {
        self.places.len()
    }

    /// Token ids, `(rows)`.
    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Position of a row in its sequence.
    pub(crate) fn position(&self, row: usize) -> usize {
        self.places[row].1
    }

    /// Block and slot of a row's keys and values.
    pub(crate) fn slot(&self, row: usize) -> (u32, usize) {
        let position = self.position(row);
        (self.table(row)[position / BLOCK_TOKENS], position % BLOCK_TOKENS)
    }

    /// Blocks of a row's sequence.
    pub(crate) fn table(&self, row: usize) -> &[u32] {
        &self.blocks[self.tables[self.places[row].0].clone()]
    }

    /// Rows to compute logits for.
    pub(crate) fn samples(&self) -> &[usize] {
        &self.samples
    }

    /// The rows in parts of a few of the same sequence.
    pub(crate) fn attention_cuts(&self) -> Cuts {
        Cuts::at(self.bounds.clone())
    }
}

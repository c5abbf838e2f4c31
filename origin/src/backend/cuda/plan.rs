//! A batch on the device: everything that differs from step to step, written by one copy.
//!
//! Where a step is padded to its bucket, rows that are not there have no vectors in attention and no slot in the cache; what
//! products make of them nobody reads.

use super::bucket::Bucket;
use super::driver::{Driver, DriverError};
use super::room::{PinnedRoom, Room};
use super::sampling::{PARAM_WORDS, SampleInput};
use super::tiles::{Sequence, Sharing, Tiles};
use crate::backend::batch::{BLOCK_TOKENS, Batch};
use crate::backend::{CacheShape, StepLimits};

/// The numbers of rows and of samples that are there, whatever a step is padded to.
const COUNT_WORDS: usize = 2;

/// Stands for the slot of a row that is not there, as in `origin/kernels/rotate.cu`.
const NO_SLOT: u32 = u32::MAX;

/// One step's rows.
pub(crate) struct Plan<D: Driver> {
    room: Room<D>,
    pinned: PinnedRoom<D>,
    words: Vec<u32>,
    /// How the step's sequences attend.
    sharing: Option<Sharing>,
    /// The largest step, where steps are padded.
    limits: Option<StepLimits>,
    rows: usize,
    samples: usize,
    tiles: Tiles,
}

/// A part of the plan; each begins where the one before it ends.
#[derive(Clone, Copy)]
enum Part {
    /// `(2)`: rows and samples that are there.
    Counts,
    /// `(rows)` each: token ids, positions, slots in the cache.
    Tokens,
    Positions,
    Slots,
    /// `(samples)`: rows to sample from, and how.
    SampleRows,
    Params,
    /// Attention tiles.
    Tiles,
    /// Lists that the parts before point into: blocks of sequences, seen tokens, masks.
    Lists,
}

impl<D: Driver> Default for Plan<D> {
    fn default() -> Self {
        Self {
            room: Room::default(),
            pinned: PinnedRoom::default(),
            words: Vec::new(),
            sharing: None,
            limits: None,
            rows: 0,
            samples: 0,
            tiles: Tiles::default(),
        }
    }
}

impl<D: Driver> Plan<D> {
    /// Makes the coming steps attend to a cache.
    pub(crate) fn attend_to(&mut self, shape: &CacheShape) {
        self.sharing = Some(Sharing { group: shape.heads / shape.kv_heads, kv_heads: shape.kv_heads });
    }

    /// Pads the coming steps to their buckets.
    pub(crate) fn pad_to(&mut self, limits: StepLimits) {
        self.limits = Some(limits);
    }

    /// Sets aside what the largest step takes.
    pub(crate) fn reserve(&mut self, driver: &D, words: usize) -> Result<(), DriverError> {
        self.room.hold(driver, words * size_of::<u32>())?;
        self.pinned.hold(driver, words * size_of::<u32>()).map(drop)
    }

    /// Takes in the batch of the coming step, and begins to copy it to the device. The step's bucket, where it has one.
    pub(crate) fn set(&mut self, driver: &D, batch: &Batch<'_>) -> Result<Option<Bucket>, DriverError> {
        let bucket = match (self.limits, self.sharing) {
            (Some(limits), Some(sharing)) => Bucket::of(batch, limits, sharing),
            _ => None,
        };
        self.rows = bucket.map_or(batch.tokens.len(), |bucket| bucket.lanes);
        self.samples = bucket.map_or(batch.samples.len(), |bucket| bucket.lanes);
        let mut rows = Rows::new(batch);
        rows.pad(self.rows);
        if let Some(sharing) = self.sharing {
            self.tiles = Tiles::new(&rows.sequences, bucket, sharing);
        }
        let mut input = SampleInput::new(&mut rows.lists);
        batch.samples.iter().for_each(|row| input.add(row));
        let params = input.params(self.samples);
        self.words.clear();
        self.words.extend([batch.tokens.len(), batch.samples.len()].map(|count| count as u32));
        for part in [rows.tokens, rows.positions, rows.slots] {
            self.words.extend(part);
        }
        self.words.extend(batch.samples.iter().map(|sample| sample.row as u32));
        self.words.resize(self.words.len() + self.samples - batch.samples.len(), 0);
        for part in [&params, &self.tiles.words, &rows.lists] {
            self.words.extend(part);
        }
        let bytes = size_of_val(self.words.as_slice());
        let memory = self.room.hold(driver, bytes)?;
        driver.send(&self.words, self.pinned.hold(driver, bytes)?, memory)?;
        Ok(bucket)
    }

    /// Tokens of the step, those included that are not there.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Rows to compute logits for, those included that are not there.
    pub(crate) fn samples(&self) -> usize {
        self.samples
    }

    /// Where the numbers of rows and of samples are that are there.
    pub(crate) fn counts(&self) -> u64 {
        self.address(Part::Counts)
    }

    /// Where the token ids are.
    pub(crate) fn tokens(&self) -> u64 {
        self.address(Part::Tokens)
    }

    /// Where the rows' positions are.
    pub(crate) fn positions(&self) -> u64 {
        self.address(Part::Positions)
    }

    /// Where the rows' slots in the cache are.
    pub(crate) fn slots(&self) -> u64 {
        self.address(Part::Slots)
    }

    /// Where the rows to sample from are.
    pub(crate) fn sample_rows(&self) -> u64 {
        self.address(Part::SampleRows)
    }

    /// Where it says how to sample from them.
    pub(crate) fn params(&self) -> u64 {
        self.address(Part::Params)
    }

    /// Where the blocks of sequences, seen tokens and masks are.
    pub(crate) fn lists(&self) -> u64 {
        self.address(Part::Lists)
    }

    /// The step's attention tiles.
    pub(crate) fn tiles(&self) -> &Tiles {
        &self.tiles
    }

    /// Where the tiles are that go through their context at once, and those that go through it split by split.
    pub(crate) fn tile_addresses(&self) -> [u64; 2] {
        let first = self.address(Part::Tiles);
        [first, first + (self.tiles.words_whole() * size_of::<u32>()) as u64]
    }

    fn address(&self, part: Part) -> u64 {
        let Self { rows, samples, .. } = self;
        let words = match part {
            Part::Counts => 0,
            Part::Tokens => COUNT_WORDS,
            Part::Positions => COUNT_WORDS + rows,
            Part::Slots => COUNT_WORDS + 2 * rows,
            Part::SampleRows => COUNT_WORDS + 3 * rows,
            Part::Params => COUNT_WORDS + 3 * rows + samples,
            Part::Tiles => COUNT_WORDS + 3 * rows + (1 + PARAM_WORDS) * samples,
            Part::Lists => COUNT_WORDS + 3 * rows + (1 + PARAM_WORDS) * samples + self.tiles.words.len(),
        };
        self.room.address() + (words * size_of::<u32>()) as u64
    }
}

/// Words of the largest plan.
pub(crate) fn words_max(limits: StepLimits, sharing: Sharing, list_words: usize) -> usize {
    let rows = limits.rows_max();
    let tables = limits.sequences * limits.context.div_ceil(BLOCK_TOKENS);
    COUNT_WORDS
        + 3 * rows
        + (1 + PARAM_WORDS) * limits.sequences
        + sharing.words_max(rows)
        + tables
        + list_words
}

/// What is known of each row, and of each sequence.
struct Rows {
    tokens: Vec<u32>,
    positions: Vec<u32>,
    slots: Vec<u32>,
    sequences: Vec<Sequence>,
    lists: Vec<u32>,
}

impl Rows {
    fn new(batch: &Batch<'_>) -> Self {
        let mut rows = Self {
            tokens: batch.tokens.to_vec(),
            positions: Vec::new(),
            slots: Vec::new(),
            sequences: Vec::new(),
            lists: Vec::new(),
        };
        for sequence in batch.sequences {
            let used = (sequence.start + sequence.count).div_ceil(BLOCK_TOKENS);
            rows.add(sequence.start, sequence.count, &sequence.blocks[..used]);
        }
        rows
    }

    fn add(&mut self, start: usize, count: usize, blocks: &[u32]) {
        let (first_row, table) = (self.positions.len(), self.lists.len());
        self.sequences.push(Sequence { first_row, start, count, table });
        for position in start..start + count {
            self.positions.push(position as u32);
            let block = blocks[position / BLOCK_TOKENS] as usize;
            self.slots.push((block * BLOCK_TOKENS + position % BLOCK_TOKENS) as u32);
        }
        self.lists.extend_from_slice(blocks);
    }

    /// Sequences of no token up to this many rows.
    fn pad(&mut self, rows: usize) {
        for first_row in self.tokens.len()..rows {
            self.sequences.push(Sequence { first_row, start: 0, count: 0, table: 0 });
            self.tokens.push(0);
            self.positions.push(0);
            self.slots.push(NO_SLOT);
        }
    }
}

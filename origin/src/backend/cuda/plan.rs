//! A batch on the device: where each row's keys go, and what each row attends to.

use super::driver::{Driver, DriverError};
use super::room::Room;
use crate::backend::batch::{BLOCK_TOKENS, Batch};

/// Query vectors of one attention tile, and tokens of one split of the context, as in `origin/kernels/attend.cu`.
pub(crate) const TILE_VECTORS: usize = 16;
const SPLIT_TOKENS: usize = 128;
/// From this many warps on, attention fills the device without splitting contexts (132 multiprocessors with 8 each).
const WARPS_WANTED: usize = 1024;
/// Numbers of a tile.
const TILE_WORDS: usize = 5;

/// One step's rows.
pub(crate) struct Plan<D: Driver> {
    room: Room<D>,
    /// `(rows)` each: token ids, positions, slots; `(samples)`: rows; then every sequence's blocks.
    words: Vec<u32>,
    rows: usize,
    samples: usize,
    sequences: Vec<Sequence>,
    tiles: Tiles<D>,
}

/// One sequence's place in the batch.
struct Sequence {
    first_row: usize,
    start: usize,
    count: usize,
    /// Where its blocks begin.
    table: usize,
}

/// What warps attend with. The first tiles go through their context at once, the others split by split.
pub(crate) struct Tiles<D: Driver> {
    room: Room<D>,
    /// The group that they were made for; none until the step's first attention.
    group: Option<usize>,
    whole: usize,
    split: usize,
    /// The most splits of a split tile.
    pub(crate) splits: usize,
    /// The most vectors of a split tile.
    pub(crate) vectors: usize,
}

impl<D: Driver> Default for Plan<D> {
    fn default() -> Self {
        let tiles = Tiles { room: Room::default(), group: None, whole: 0, split: 0, splits: 0, vectors: 0 };
        Self { room: Room::default(), words: Vec::new(), rows: 0, samples: 0, sequences: Vec::new(), tiles }
    }
}

impl<D: Driver> Plan<D> {
    /// Takes in the batch of the coming step.
    pub(crate) fn set(&mut self, driver: &D, batch: &Batch<'_>) -> Result<(), DriverError> {
        self.rows = batch.tokens.len();
        self.samples = batch.samples.len();
        self.sequences.clear();
        self.tiles.group = None;
        let (mut positions, mut slots, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
        for sequence in batch.sequences {
            self.sequences.push(Sequence {
                first_row: positions.len(),
                start: sequence.start,
                count: sequence.count,
                table: blocks.len(),
            });
            for position in sequence.start..sequence.start + sequence.count {
                positions.push(position as u32);
                let block = sequence.blocks[position / BLOCK_TOKENS] as usize;
                slots.push((block * BLOCK_TOKENS + position % BLOCK_TOKENS) as u32);
            }
            let used = (sequence.start + sequence.count).div_ceil(BLOCK_TOKENS);
            blocks.extend_from_slice(&sequence.blocks[..used]);
        }
        self.words.clear();
        self.words.extend_from_slice(batch.tokens);
        self.words.extend(positions);
        self.words.extend(slots);
        self.words.extend(batch.samples.iter().map(|sample| sample.row as u32));
        self.words.extend(blocks);
        upload(driver, &mut self.room, &self.words)
    }

    /// Tokens of the step.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Rows to compute logits for.
    pub(crate) fn samples(&self) -> usize {
        self.samples
    }

    /// Where the token ids are.
    pub(crate) fn tokens(&self) -> u64 {
        self.address(0)
    }

    /// Where the rows' positions are.
    pub(crate) fn positions(&self) -> u64 {
        self.address(self.rows)
    }

    /// Where the rows' slots in the cache are.
    pub(crate) fn slots(&self) -> u64 {
        self.address(2 * self.rows)
    }

    /// Where the rows to sample from are.
    pub(crate) fn sample_rows(&self) -> u64 {
        self.address(3 * self.rows)
    }

    /// Where the blocks of all sequences are.
    pub(crate) fn tables(&self) -> u64 {
        self.address(3 * self.rows + self.samples)
    }

    fn address(&self, word: usize) -> u64 {
        self.room.address() + (word * size_of::<u32>()) as u64
    }

    /// The step's attention tiles, where `group` query heads share each of `kv_heads`.
    pub(crate) fn tiles(
        &mut self,
        driver: &D,
        group: usize,
        kv_heads: usize,
    ) -> Result<&Tiles<D>, DriverError> {
        if self.tiles.group != Some(group) {
            self.tiles.set(driver, &self.sequences, group, kv_heads)?;
        }
        Ok(&self.tiles)
    }
}

impl<D: Driver> Tiles<D> {
    fn set(
        &mut self,
        driver: &D,
        sequences: &[Sequence],
        group: usize,
        kv_heads: usize,
    ) -> Result<(), DriverError> {
        let count: usize =
            sequences.iter().map(|sequence| (sequence.count * group).div_ceil(TILE_VECTORS)).sum();
        let may_split = count * kv_heads < WARPS_WANTED;
        let (mut whole, mut split) = (Vec::new(), Vec::new());
        (self.splits, self.vectors) = (0, 0);
        for sequence in sequences {
            let vectors = sequence.count * group;
            let splits = (sequence.start + sequence.count).div_ceil(SPLIT_TOKENS);
            let splits_context = may_split && vectors <= TILE_VECTORS && splits > 1;
            if splits_context {
                (self.splits, self.vectors) = (self.splits.max(splits), self.vectors.max(vectors));
            }
            let to = if splits_context { &mut split } else { &mut whole };
            for first in (0..vectors).step_by(TILE_VECTORS) {
                let count = TILE_VECTORS.min(vectors - first);
                to.extend(
                    [sequence.first_row, sequence.start, sequence.table, first, count]
                        .map(|word| word as u32),
                );
            }
        }
        (self.whole, self.split) = (whole.len() / TILE_WORDS, split.len() / TILE_WORDS);
        whole.append(&mut split);
        upload(driver, &mut self.room, &whole)?;
        self.group = Some(group);
        Ok(())
    }

    /// How many go through their context at once, and where they are.
    pub(crate) fn whole(&self) -> (usize, u64) {
        (self.whole, self.room.address())
    }

    /// How many go through their context split by split, and where they are.
    pub(crate) fn split(&self) -> (usize, u64) {
        let before = self.whole * TILE_WORDS * size_of::<u32>();
        (self.split, self.room.address() + before as u64)
    }
}

fn upload<D: Driver>(driver: &D, room: &mut Room<D>, words: &[u32]) -> Result<(), DriverError> {
    let bytes: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let memory = room.hold(driver, bytes.len())?;
    driver.write(memory, 0, &bytes)
}

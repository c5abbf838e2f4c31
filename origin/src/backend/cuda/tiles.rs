//! What the warps of attention attend with.

use super::bucket::Bucket;

/// Query vectors of one attention tile, and tokens of one split of the context, as in `origin/kernels/attend.cu`.
pub(crate) const TILE_VECTORS: usize = 16;
pub(crate) const SPLIT_TOKENS: usize = 128;
/// From this many warps on, attention fills the device without splitting contexts (132 multiprocessors with 8 each).
const WARPS_WANTED: usize = 1024;
/// Vectors of all splits of a step: what bounds the memory for their parts (33 MiB for heads of 128).
pub(crate) const PART_VECTORS_MAX: usize = 1 << 16;
/// Numbers of a tile.
const TILE_WORDS: usize = 5;

/// How query heads share key and value heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sharing {
    /// Query heads for each key and value head.
    pub(crate) group: usize,
    /// Key and value heads.
    pub(crate) kv_heads: usize,
}

/// One sequence's place in the batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequence {
    pub(crate) first_row: usize,
    /// Position of its first row.
    pub(crate) start: usize,
    /// Rows; none where a step is padded with it.
    pub(crate) count: usize,
    /// Where its blocks begin in the list of all.
    pub(crate) table: usize,
}

/// A step's tiles. The first ones go through their context at once, the others split by split.
#[derive(Debug, Default)]
pub(crate) struct Tiles {
    /// As `attend.cu` reads them.
    pub(crate) words: Vec<u32>,
    /// How many go through their context at once.
    pub(crate) whole: usize,
    /// How many go through it split by split.
    pub(crate) split: usize,
    /// The most splits of a split tile.
    pub(crate) splits: usize,
    /// The most vectors of a split tile.
    pub(crate) vectors: usize,
    /// Whether each of them is all of a sequence's one row.
    pub(crate) are_rows: bool,
}

impl Sharing {
    /// Tiles of a sequence of `count` rows.
    pub(crate) fn tiles(self, count: usize) -> usize {
        (count * self.group).div_ceil(TILE_VECTORS)
    }

    /// Whether sequences of `count` rows are split in a step of so many tiles.
    pub(crate) fn may_split(self, tiles: usize, count: usize) -> bool {
        tiles * self.kv_heads < WARPS_WANTED && count * self.group <= TILE_VECTORS
    }

    /// Whether the parts of so many tiles have room.
    pub(crate) fn has_room(self, tiles: usize, splits: usize, vectors: usize) -> bool {
        tiles * self.kv_heads * splits * vectors <= PART_VECTORS_MAX
    }

    /// Words that the tiles of so many rows take up at most.
    pub(crate) fn words_max(self, rows: usize) -> usize {
        rows * self.tiles(1) * TILE_WORDS
    }
}

impl Tiles {
    /// The tiles of a step. In a bucket all of them are split or none is.
    pub(crate) fn new(sequences: &[Sequence], bucket: Option<Bucket>, sharing: Sharing) -> Self {
        if let Some(bucket) = bucket {
            let is_split = |_: &Sequence| bucket.splits > 1;
            let tiles = Self::of(sequences, is_split, sharing);
            return Self { splits: bucket.splits, ..tiles };
        }
        let count = sequences.iter().map(|sequence| sharing.tiles(sequence.count)).sum();
        // Sequences of more splits than this are split: the longest alone, where there is no room for the parts of all.
        let mut splits_whole = 1;
        loop {
            let is_split = |sequence: &Sequence| {
                sharing.may_split(count, sequence.count) && sequence.splits() > splits_whole
            };
            let tiles = Self::of(sequences, is_split, sharing);
            if sharing.has_room(tiles.split, tiles.splits, tiles.vectors) {
                return tiles;
            }
            splits_whole *= 2;
        }
    }

    fn of(sequences: &[Sequence], is_split: impl Fn(&Sequence) -> bool, sharing: Sharing) -> Self {
        let are_rows = sequences.iter().all(|sequence| sequence.count <= 1) && sharing.tiles(1) == 1;
        let mut tiles = Self { are_rows, ..Self::default() };
        let (mut whole, mut split) = (Vec::new(), Vec::new());
        for sequence in sequences {
            let vectors = sequence.count * sharing.group;
            let is_split = is_split(sequence);
            if is_split {
                tiles.splits = tiles.splits.max(sequence.splits());
                tiles.vectors = tiles.vectors.max(vectors);
            }
            let to = if is_split { &mut split } else { &mut whole };
            // What a step is padded with has as many tiles as a row, without vectors.
            for tile in 0..sharing.tiles(sequence.count.max(1)) {
                let first = tile * TILE_VECTORS;
                let count = TILE_VECTORS.min(vectors.saturating_sub(first));
                to.extend(
                    [sequence.first_row, sequence.start, sequence.table, first, count]
                        .map(|word| word as u32),
                );
            }
        }
        (tiles.whole, tiles.split) = (whole.len() / TILE_WORDS, split.len() / TILE_WORDS);
        whole.append(&mut split);
        tiles.words = whole;
        tiles
    }

    /// Words before the split tiles.
    pub(crate) fn words_whole(&self) -> usize {
        self.whole * TILE_WORDS
    }
}

impl Sequence {
    /// Splits of its context.
    fn splits(&self) -> usize {
        (self.start + self.count).div_ceil(SPLIT_TOKENS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(start: usize) -> Sequence {
        Sequence { first_row: 0, start, count: 1, table: 0 }
    }

    #[test]
    fn the_longest_contexts_are_split_where_not_all_of_them_can_be() {
        let sharing = Sharing { group: 4, kv_heads: 1 };
        let split = |starts: &[usize]| {
            let sequences: Vec<_> = starts.iter().map(|&start| sequence(start)).collect();
            let tiles = Tiles::new(&sequences, None, sharing);
            (tiles.whole, tiles.split, tiles.splits)
        };
        assert_eq!(split(&[5, 127, 128, 300]), (2, 2, 3));
        // At the room's end, and one split past it.
        let long = PART_VECTORS_MAX / 4 / 2 * SPLIT_TOKENS;
        assert_eq!(split(&[300, long - 1]), (0, 2, long / SPLIT_TOKENS));
        assert_eq!(split(&[300, long]), (1, 1, long / SPLIT_TOKENS + 1));
    }
}

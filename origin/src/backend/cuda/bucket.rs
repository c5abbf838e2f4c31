//! Steps whose launches are the same: every sequence has one new token, and numbers are rounded up.

use super::tiles::{SPLIT_TOKENS, Sharing};
use crate::backend::StepLimits;
use crate::backend::batch::Batch;

/// What the launches of a step depend on where every sequence has one new token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Bucket {
    /// Rows of the step, and rows that are sampled from.
    pub(crate) lanes: usize,
    /// Splits of every sequence's context.
    pub(crate) splits: usize,
}

impl Bucket {
    /// The bucket of a step, where it has one.
    pub(crate) fn of(batch: &Batch<'_>, limits: StepLimits, sharing: Sharing) -> Option<Self> {
        let lanes = batch.sequences.len().max(batch.samples.len());
        let are_single = batch.sequences.iter().all(|sequence| sequence.count == 1);
        if batch.sequences.is_empty() || !are_single || lanes > limits.sequences {
            return None;
        }
        let lanes = rounded_up(lanes).min(limits.sequences);
        let tiles = lanes * sharing.tiles(1);
        let context = batch.sequences.iter().map(|sequence| sequence.start + 1).max()?;
        let splits = if sharing.may_split(tiles, 1) { context.div_ceil(SPLIT_TOKENS) } else { 1 };
        let splits = splits.next_power_of_two();
        let fits = splits == 1 || sharing.has_room(tiles, splits, sharing.group);
        fits.then_some(Self { lanes, splits })
    }
}

/// The next of 1, 2, 4, 8, 16, 24, 32, 48, 64, 96, …: powers of two, and from 16 on what lies half-way between them. Up to 8
/// rows cost what one does.
fn rounded_up(rows: usize) -> usize {
    let power = rows.next_power_of_two();
    let half_way = power / 4 * 3;
    if power > 16 && rows <= half_way { half_way } else { power }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::batch::SequenceSpan;
    use crate::backend::cuda::graphs::GRAPHS_MAX;
    use std::collections::BTreeSet;

    const SHARING: Sharing = Sharing { group: 4, kv_heads: 8 };

    fn bucket(starts: &[usize], sequences: usize) -> Option<Bucket> {
        let spans: Vec<_> =
            starts.iter().map(|&start| SequenceSpan { start, count: 1, blocks: &[] }).collect();
        let batch = Batch { sequences: &spans, ..Batch::default() };
        Bucket::of(&batch, StepLimits { tokens: 512, sequences, context: 1 << 20 }, SHARING)
    }

    #[test]
    fn rows_and_splits_are_rounded_up() {
        let rounded: BTreeSet<_> = (1..=200).map(rounded_up).collect();
        assert_eq!(
            rounded.into_iter().collect::<Vec<_>>(),
            [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256]
        );
        assert_eq!(bucket(&[0, 127], 64), Some(Bucket { lanes: 2, splits: 1 }));
        assert_eq!(bucket(&[0, 128, 5], 64), Some(Bucket { lanes: 4, splits: 2 }));
        assert_eq!(bucket(&[513], 64), Some(Bucket { lanes: 1, splits: 8 }));
        // At the limit of sequences, and one past it.
        assert_eq!(bucket(&[0; 19], 20), Some(Bucket { lanes: 20, splits: 1 }));
        assert_eq!(bucket(&[0; 20], 20), Some(Bucket { lanes: 20, splits: 1 }));
        assert_eq!(bucket(&[0; 21], 20), None);
        // Enough warps without splits.
        assert_eq!(bucket(&[1000; 128], 256), Some(Bucket { lanes: 128, splits: 1 }));
        // More splits than there is room for.
        assert_eq!(bucket(&[1 << 20; 2], 64), None);
    }

    #[test]
    fn every_bucket_of_the_widest_settings_has_a_graph() {
        let lanes: BTreeSet<_> = (1..=1024).map(rounded_up).collect();
        let splits = (1_usize << 20).div_ceil(SPLIT_TOKENS).ilog2() as usize + 1;
        assert!(lanes.len() * splits <= GRAPHS_MAX, "{} × {splits}", lanes.len());
    }
}

//! Steps that were recorded.

use super::bucket::Bucket;
use std::collections::HashMap;

/// Recorded steps at most; every bucket of the widest settings has one. A step past them is launched kernel by kernel.
pub(crate) const GRAPHS_MAX: usize = 256;

/// A recorded step for each bucket that was used.
pub(crate) struct Graphs<G> {
    recorded: HashMap<Bucket, G>,
    /// How many there may be.
    max: usize,
}

impl<G> Graphs<G> {
    /// None yet, and never more than this.
    pub(crate) fn up_to(max: usize) -> Self {
        Self { recorded: HashMap::new(), max }
    }

    /// The bucket's.
    pub(crate) fn get(&self, bucket: Bucket) -> Option<&G> {
        self.recorded.get(&bucket)
    }

    /// Whether there may be another one.
    pub(crate) fn has_room(&self) -> bool {
        self.recorded.len() < self.max
    }

    /// Keeps the bucket's.
    pub(crate) fn insert(&mut self, bucket: Bucket, graph: G) {
        self.recorded.insert(bucket, graph);
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.recorded.len()
    }
}

//! What a pool has published, told to other threads: by it a request finds the engine that has computed its prompt before.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use super::ChainHash;

/// Names of the blocks that a pool has published and not evicted. Clones are the same set.
#[derive(Debug, Clone, Default)]
pub struct Prefixes(Arc<RwLock<HashSet<ChainHash>>>);

impl Prefixes {
    /// How many of a prompt's blocks are there, from the first on.
    pub fn leading(&self, hashes: &[ChainHash]) -> usize {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        hashes.iter().take_while(|hash| held.contains(*hash)).count()
    }

    pub(super) fn insert(&self, hash: ChainHash) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(hash);
    }

    pub(super) fn remove(&self, hash: &ChainHash) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(hash);
    }

    pub(super) fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

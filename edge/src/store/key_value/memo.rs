//! What an instance has read a moment ago.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;

use super::LAG_MS_MAX;

/// Most values that are remembered. Beyond them all are forgotten and read again.
const VALUES_MAX: usize = 4096;

/// Values with the time at which they were read.
pub(super) struct Memo<K, V>(RefCell<HashMap<K, (V, u64)>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    /// The value, if it was read less than [`LAG_MS_MAX`] ago.
    pub(super) fn get<Q>(&self, key: &Q, now_ms: u64) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let values = self.0.borrow();
        let (value, read_ms) = values.get(key)?;
        // A clock that went back makes a value old rather than young for ever.
        (now_ms.abs_diff(*read_ms) < LAG_MS_MAX).then(|| value.clone())
    }

    pub(super) fn put(&self, key: K, value: V, now_ms: u64) {
        let mut values = self.0.borrow_mut();
        if values.len() >= VALUES_MAX {
            values.clear();
        }
        values.insert(key, (value, now_ms));
    }

    pub(super) fn forget<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.0.borrow_mut().remove(key);
    }
}

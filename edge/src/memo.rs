//! What an instance has read a moment ago.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;

/// Values with the time at which they were read.
pub struct Memo<K, V> {
    lasts_ms: u64,
    values_max: usize,
    values: RefCell<HashMap<K, (V, u64)>>,
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    /// A memo that keeps each value for so long. Beyond so many values all are forgotten and read again.
    pub fn new(lasts_ms: u64, values_max: usize) -> Self {
        Self { lasts_ms, values_max, values: RefCell::default() }
    }

    /// The value, if it was read less than its time ago.
    pub fn get<Q>(&self, key: &Q, now_ms: u64) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let values = self.values.borrow();
        let (value, read_ms) = values.get(key)?;
        // A clock that went back makes a value old rather than young for ever.
        (now_ms.abs_diff(*read_ms) < self.lasts_ms).then(|| value.clone())
    }

    /// Remembers a value.
    pub fn put(&self, key: K, value: V, now_ms: u64) {
        let mut values = self.values.borrow_mut();
        if values.len() >= self.values_max {
            values.clear();
        }
        values.insert(key, (value, now_ms));
    }

    /// Forgets a value.
    pub fn forget<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.values.borrow_mut().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_remembered_for_its_time_also_where_the_clock_goes_back() {
        let memo = Memo::new(1000, 2);
        memo.put("a", 1, 5000);
        for (now_ms, found) in [(5000, Some(1)), (5999, Some(1)), (6000, None), (4001, Some(1)), (4000, None)]
        {
            assert_eq!(memo.get("a", now_ms), found, "{now_ms}");
        }
        memo.forget("a");
        assert_eq!(memo.get("a", 5000), None);
    }

    #[test]
    fn no_more_values_are_remembered_than_may_be() {
        let memo = Memo::new(1000, 2);
        for key in 0..2 {
            memo.put(key, key, 0);
        }
        assert_eq!((memo.get(&0, 0), memo.get(&1, 0)), (Some(0), Some(1)));
        memo.put(2, 2, 0);
        assert_eq!((memo.get(&0, 0), memo.get(&2, 0)), (None, Some(2)));
    }
}

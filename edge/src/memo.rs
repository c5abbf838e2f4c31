//! What an instance has read a moment ago.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;

/// Values with the time at which they were read.
pub struct Memo<K, V> {
    lasts_ms: u64,
    weight_max: usize,
    weigh: fn(&K, &V) -> usize,
    kept: RefCell<Kept<K, V>>,
}

struct Kept<K, V> {
    values: HashMap<K, (V, u64)>,
    weight: usize,
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    /// A memo that keeps each value for so long. Beyond so many values all are forgotten and read again.
    pub fn new(lasts_ms: u64, values_max: usize) -> Self {
        Self::weighing(lasts_ms, values_max, |_, _| 1)
    }

    /// A memo that keeps each value for so long, and values of so much weight in all, by what each one weighs. A value that
    /// weighs more alone is not kept.
    pub fn weighing(lasts_ms: u64, weight_max: usize, weigh: fn(&K, &V) -> usize) -> Self {
        let kept = RefCell::new(Kept { values: HashMap::new(), weight: 0 });
        Self { lasts_ms, weight_max, weigh, kept }
    }

    /// The value, if it was read less than its time ago.
    pub fn get<Q>(&self, key: &Q, now_ms: u64) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let kept = self.kept.borrow();
        let (value, read_ms) = kept.values.get(key)?;
        // A clock that went back makes a value old rather than young for ever.
        (now_ms.abs_diff(*read_ms) < self.lasts_ms).then(|| value.clone())
    }

    /// Remembers a value.
    pub fn put(&self, key: K, value: V, now_ms: u64) {
        let weight = (self.weigh)(&key, &value);
        self.forget(&key);
        if weight > self.weight_max {
            return;
        }
        let mut kept = self.kept.borrow_mut();
        if kept.weight + weight > self.weight_max {
            kept.values.clear();
            kept.weight = 0;
        }
        kept.values.insert(key, (value, now_ms));
        kept.weight += weight;
    }

    /// Forgets a value.
    pub fn forget<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut kept = self.kept.borrow_mut();
        if let Some((key, (value, _))) = kept.values.remove_entry(key) {
            kept.weight -= (self.weigh)(&key, &value);
        }
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

    #[test]
    fn values_are_remembered_up_to_their_weight() {
        let memo = Memo::weighing(1000, 10, |_, value| *value);
        memo.put("too heavy", 11, 0);
        memo.put("a", 4, 0);
        memo.put("b", 6, 0);
        assert_eq!(["too heavy", "a", "b"].map(|key| memo.get(key, 0)), [None, Some(4), Some(6)]);
        memo.put("b", 5, 0);
        memo.put("c", 1, 0);
        assert_eq!(
            ["a", "b", "c"].map(|key| memo.get(key, 0)),
            [Some(4), Some(5), Some(1)],
            "what is replaced does not count"
        );
        memo.forget("a");
        memo.forget("a");
        memo.put("d", 4, 0);
        assert_eq!(
            ["b", "c", "d"].map(|key| memo.get(key, 0)),
            [Some(5), Some(1), Some(4)],
            "nor what is forgotten"
        );
        memo.put("e", 1, 0);
        assert_eq!(["b", "c", "d", "e"].map(|key| memo.get(key, 0)), [None, None, None, Some(1)]);
    }
}

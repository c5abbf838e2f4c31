//! The answers that an instance has given a moment ago: what is asked for again and again is neither read nor unpacked
//! again.

use std::rc::Rc;

use super::Entry;
use crate::memo::Memo;

/// How long an entry is remembered, in milliseconds. What another instance stores in its place is seen that much later;
/// a purge is not, since an entry is judged by the current epochs wherever it comes from.
pub const HOT_MS_MAX: u64 = 1_000;
/// Most that an instance remembers, in bytes: some two thousand short copies.
pub const HOT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What an entry takes beside its body, in bytes.
const BESIDE_BYTES: usize = 256;

/// The entries, by their keys.
pub struct Hot(Memo<[u8; 32], Rc<Entry>>);

impl Default for Hot {
    fn default() -> Self {
        Self(Memo::weighing(HOT_MS_MAX, HOT_BYTES_MAX, |_, entry| BESIDE_BYTES + entry.body.len()))
    }
}

impl Hot {
    /// The entry of a key, if it was read a moment ago.
    pub fn find(&self, key: &[u8; 32], now_ms: u64) -> Option<Rc<Entry>> {
        self.0.get(key, now_ms)
    }

    /// Remembers an entry that was read now.
    pub fn remember(&self, entry: &Rc<Entry>, now_ms: u64) {
        self.0.put(entry.stamp.key, Rc::clone(entry), now_ms);
    }

    /// Forgets the entry of a key, which is no longer the one that is stored.
    pub fn forget(&self, key: &[u8; 32]) {
        self.0.forget(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{ENTRY_BODY_BYTES_MAX, Epochs, Kind, Stamp};

    fn entry(key: u8, length: usize) -> Rc<Entry> {
        let epochs = Epochs { hard: 0, soft: 0 };
        let stamp = Stamp { key: [key; 32], scope: "acme".to_owned(), created_s: 0, ttl_s: 60, epochs };
        Rc::new(Entry { stamp, kind: Kind::Copy, digest: 0, body: vec![0; length].into() })
    }

    #[test]
    fn an_entry_is_remembered_for_its_time_or_until_it_is_forgotten() {
        let hot = Hot::default();
        hot.remember(&entry(7, 10), 5);
        assert!(hot.find(&[7; 32], 4 + HOT_MS_MAX).is_some());
        assert_eq!(hot.find(&[7; 32], 5 + HOT_MS_MAX), None);
        hot.forget(&[7; 32]);
        assert_eq!(hot.find(&[7; 32], 5), None);
    }

    #[test]
    fn entries_are_remembered_up_to_so_many_bytes() {
        let most = ENTRY_BODY_BYTES_MAX;
        let count = (HOT_BYTES_MAX / (most + BESIDE_BYTES)) as u8;
        let hot = Hot::default();
        (0..count).for_each(|key| hot.remember(&entry(key, most), 0));
        assert!((0..count).all(|key| hot.find(&[key; 32], 0).is_some()));
        hot.remember(&entry(count, most), 0);
        assert!((0..count).all(|key| hot.find(&[key; 32], 0).is_none()));
        assert!(hot.find(&[count; 32], 0).is_some());
    }
}

//! The answers that an instance has given a moment ago: what is asked for again and again is neither read nor unpacked
//! again.

use std::rc::Rc;

use super::Entry;
use crate::memo::Memo;

/// How long an entry is remembered, in milliseconds. What another instance stores in its place is seen that much later;
/// a purge is not, since an entry is judged by the current epochs wherever it comes from.
pub const HOT_MS_MAX: u64 = 1_000;
/// Most entries that an instance remembers.
pub const HOT_ENTRIES_MAX: usize = 64;
/// Largest body of an entry that is remembered, in bytes: all of them together take 4 MiB at most.
pub const HOT_BODY_BYTES_MAX: usize = 64 * 1024;

/// The entries, by their keys.
pub struct Hot(Memo<[u8; 32], Rc<Entry>>);

impl Default for Hot {
    fn default() -> Self {
        Self(Memo::new(HOT_MS_MAX, HOT_ENTRIES_MAX))
    }
}

impl Hot {
    /// The entry of a key, if it was read a moment ago.
    pub fn find(&self, key: &[u8; 32], now_ms: u64) -> Option<Rc<Entry>> {
        self.0.get(key, now_ms)
    }

    /// Remembers an entry that was read now.
    pub fn remember(&self, entry: &Rc<Entry>, now_ms: u64) {
        if entry.body.len() <= HOT_BODY_BYTES_MAX {
            self.0.put(entry.stamp.key, Rc::clone(entry), now_ms);
        }
    }

    /// Forgets the entry of a key, which is no longer the one that is stored.
    pub fn forget(&self, key: &[u8; 32]) {
        self.0.forget(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{Epochs, Kind, Stamp};

    fn entry(length: usize) -> Rc<Entry> {
        let epochs = Epochs { hard: 0, soft: 0 };
        let stamp = Stamp { key: [7; 32], scope: "acme".to_owned(), created_s: 0, ttl_s: 60, epochs };
        Rc::new(Entry { stamp, kind: Kind::Copy, digest: 0, body: vec![0; length].into() })
    }

    #[test]
    fn an_entry_is_remembered_for_its_time_unless_it_is_large() {
        let hot = Hot::default();
        for (length, is_remembered) in [(HOT_BODY_BYTES_MAX, true), (HOT_BODY_BYTES_MAX + 1, false)] {
            hot.remember(&entry(length), 5);
            assert_eq!(hot.find(&[7; 32], 4 + HOT_MS_MAX).is_some(), is_remembered, "{length}");
            assert_eq!(hot.find(&[7; 32], 5 + HOT_MS_MAX), None);
            hot.forget(&[7; 32]);
            assert_eq!(hot.find(&[7; 32], 5), None);
        }
    }
}

//! Memory of the signatures that were used, so that a recorded request cannot be sent again.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use adlib_shared::limits::SIGNATURE_WINDOW_S;

/// Nonces that are remembered; the window of twice 30 s holds so many at 4,369 requests a second.
pub const NONCES_MAX: usize = 262_144;

/// Nonces by the second in which their signature was made. Those too old to verify are forgotten.
#[derive(Debug, Default)]
pub struct Nonces(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    by_second: BTreeMap<u64, HashSet<Box<str>>>,
    count: usize,
}

/// What is known about a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonce {
    /// It was not used before, and is remembered now.
    Fresh,
    /// It was used before.
    Replayed,
    /// There is no room to remember it, so that the request must be refused.
    NoRoom,
}

impl Nonces {
    /// Uses a nonce of a verified signature made at `created`, in seconds since 1970 as is `now`.
    pub fn consume(&self, nonce: &str, created: u64, now: u64) -> Nonce {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget_before(now.saturating_sub(SIGNATURE_WINDOW_S));
        if seen.by_second.get(&created).is_some_and(|nonces| nonces.contains(nonce)) {
            return Nonce::Replayed;
        }
        if seen.count >= NONCES_MAX {
            return Nonce::NoRoom;
        }
        seen.by_second.entry(created).or_default().insert(nonce.into());
        seen.count += 1;
        Nonce::Fresh
    }
}

impl Seen {
    fn forget_before(&mut self, second: u64) {
        while let Some(oldest) = self.by_second.first_entry().filter(|oldest| *oldest.key() < second) {
            self.count -= oldest.remove().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NONCES_MAX, Nonce, Nonces};

    #[test]
    fn a_nonce_can_be_used_once() {
        let nonces = Nonces::default();
        assert_eq!(nonces.consume("a", 100, 100), Nonce::Fresh);
        assert_eq!(nonces.consume("a", 100, 130), Nonce::Replayed);
        assert_eq!(nonces.consume("b", 100, 130), Nonce::Fresh);
    }

    #[test]
    fn memory_is_bounded_and_frees_itself() {
        let nonces = Nonces::default();
        for index in 0..NONCES_MAX {
            assert_eq!(nonces.consume(&index.to_string(), 100, 100), Nonce::Fresh);
        }
        assert_eq!(nonces.consume("one more", 100, 130), Nonce::NoRoom);
        assert_eq!(nonces.consume("one more", 131, 131), Nonce::Fresh);
    }
}

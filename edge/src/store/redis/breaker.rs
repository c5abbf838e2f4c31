//! When a server that does not answer is left alone.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// So many failures in a row, and the server is left alone.
pub(super) const FAILURES_MAX: u32 = 3;
/// For so long. Then one command tries it, and if it fails too, it begins again.
pub(super) const PAUSE: Duration = Duration::from_secs(3);

/// What an instance has seen of the server.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: Cell<u32>,
    paused: Cell<Option<Instant>>,
}

impl Breaker {
    /// Whether a command may be sent.
    pub(super) fn may_ask(&self, now: Instant) -> bool {
        let is_over = self.paused.get().is_none_or(|paused| now.duration_since(paused) >= PAUSE);
        if is_over && self.failures.get() >= FAILURES_MAX {
            // The one that tries; the others wait for what it finds.
            self.paused.set(Some(now));
        }
        is_over
    }

    /// The server answered, whatever it said.
    pub(super) fn answered(&self) {
        self.failures.set(0);
        self.paused.set(None);
    }

    /// The server did not answer.
    pub(super) fn failed(&self, now: Instant) {
        self.failures.set(self.failures.get().saturating_add(1));
        if self.failures.get() >= FAILURES_MAX {
            self.paused.set(Some(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_fails_is_left_alone_and_tried_by_one_after_a_while() {
        let (breaker, begun) = (Breaker::default(), Instant::now());
        for _ in 1..FAILURES_MAX {
            breaker.failed(begun);
        }
        assert!(breaker.may_ask(begun), "one less than it takes");
        breaker.failed(begun);
        assert!(!breaker.may_ask(begun) && !breaker.may_ask(begun + PAUSE * 9 / 10));
        assert!(breaker.may_ask(begun + PAUSE), "one tries");
        assert!(!breaker.may_ask(begun + PAUSE), "and no other");
        breaker.failed(begun + PAUSE);
        assert!(!breaker.may_ask(begun + PAUSE * 19 / 10));
        assert!(breaker.may_ask(begun + 2 * PAUSE));
        breaker.answered();
        assert!(breaker.may_ask(begun) && breaker.may_ask(begun));
        breaker.failed(begun);
        assert!(breaker.may_ask(begun), "it counts from the start");
    }
}

//! How long the origins took until the heads of their last answers, for the choice when to ask a second one.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

/// Answers that are remembered.
pub const SAMPLES_MAX: usize = 64;
/// Answers from which on the 95th percentile means something: one of them lies above it.
pub const SAMPLES_MIN: usize = 20;

/// The last times.
#[derive(Debug, Default)]
pub struct Latency(RefCell<VecDeque<Duration>>);

impl Latency {
    /// Adds a time, in place of the oldest.
    pub fn add(&self, took: Duration) {
        let mut samples = self.0.borrow_mut();
        if samples.len() == SAMPLES_MAX {
            samples.pop_front();
        }
        samples.push_back(took);
    }

    /// The time that 95 of 100 answers take at most; `None` while too few are known.
    pub fn p95(&self) -> Option<Duration> {
        let mut samples: Vec<_> = self.0.borrow().iter().copied().collect();
        if samples.len() < SAMPLES_MIN {
            return None;
        }
        let rank = (samples.len() * 95).div_ceil(100) - 1;
        Some(*samples.select_nth_unstable(rank).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_that_of_the_last_answers() {
        let latency = Latency::default();
        for ms in 1..SAMPLES_MIN as u64 {
            latency.add(Duration::from_millis(ms));
            assert_eq!(latency.p95(), None, "after {ms}");
        }
        latency.add(Duration::from_millis(SAMPLES_MIN as u64));
        assert_eq!(latency.p95(), Some(Duration::from_millis(19)));
        for _ in 0..SAMPLES_MAX {
            latency.add(Duration::from_millis(5));
        }
        assert_eq!(latency.p95(), Some(Duration::from_millis(5)));
    }
}

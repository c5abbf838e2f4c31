//! What the engine counts for the metrics. Written by the engine's thread, read by any.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start, and gauges of now.
#[derive(Debug, Default)]
pub struct Stats {
    /// Requests admitted.
    pub requests: Counter,
    /// Prompt tokens of admitted requests.
    pub prompt_tokens: Counter,
    /// Prompt tokens found in the prefix cache.
    pub cached_tokens: Counter,
    /// Tokens sampled.
    pub sampled_tokens: Counter,
    /// Steps run.
    pub steps: Counter,
    /// Tokens computed in all steps.
    pub step_tokens: Counter,
    /// Time in steps, microseconds.
    pub step_time_us: Counter,
    /// Sequences preempted.
    pub preemptions: Counter,
    /// Failures of the device.
    pub device_errors: Counter,
    /// Times that the engine was started anew.
    pub restarts: Counter,
    /// Sequences of the requests that somebody waits for: how busy the engine is.
    pub load: Counter,
    /// Requests in the queue.
    pub waiting: Counter,
    /// Sequences of admitted requests.
    pub running: Counter,
    /// KV cache blocks in use.
    pub blocks_held: Counter,
    /// KV cache blocks kept for the prefix cache alone.
    pub blocks_idle: Counter,
    /// KV cache blocks that hold nothing.
    pub blocks_free: Counter,
}

/// A number that is counted without waiting for anyone.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn subtract(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds one unless that would pass `limit`; whether it did.
    pub(super) fn add_one_below(&self, limit: u64) -> bool {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |now| (now < limit).then_some(now + 1))
            .is_ok()
    }
}

//! A rate limit without a clock of its own: the generic cell rate algorithm.

/// Longest period, in milliseconds: a year. With it and [`NOW_MS_MAX`] no sum overflows.
pub const PERIOD_MS_MAX: u64 = 366 * 86_400_000;
/// Latest time, in milliseconds of the caller's clock: 140,000 years.
pub const NOW_MS_MAX: u64 = u64::MAX / 4 / 1000;

/// So many requests per period, in any pattern: all at once, then one each `period / burst`.
///
/// The state is one number, the theoretical arrival time of the next request, which a store can hold as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gcra {
    interval_us: u64,
    burst: u32,
}

/// When the next request is due, in microseconds of the caller's clock. The default is a key never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State(pub u64);

/// What is to be done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may pass.
    pub allowed: bool,
    /// How many more may pass at once.
    pub remaining: u32,
    /// Milliseconds until all of the burst is there again.
    pub reset_ms: u64,
    /// Milliseconds until the next may pass; 0 where this one does.
    pub retry_after_ms: u64,
    /// What to store. For a refused request it is what was there, but for a clock that went back.
    pub new_state: State,
}

impl Gcra {
    /// `burst` requests per `period_ms`. Both are at least 1, and the period is at most [`PERIOD_MS_MAX`].
    pub fn new(period_ms: u64, burst: u32) -> Self {
        let burst = burst.max(1);
        // Rounded up, so that never more pass than promised.
        let interval_us = (period_ms.clamp(1, PERIOD_MS_MAX) * 1000).div_ceil(u64::from(burst));
        Self { interval_us, burst }
    }

    /// Requests that may pass at once.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// By how many microseconds a request moves the state for each unit of its cost.
    pub const fn interval_us(&self) -> u64 {
        self.interval_us
    }

    /// How far the state may lie ahead of the clock, in microseconds: the period, rounded up to whole intervals.
    pub const fn window_us(&self) -> u64 {
        self.interval_us * self.burst as u64
    }

    /// Judges one request at `now_ms`, which counts up to [`NOW_MS_MAX`].
    pub fn check(&self, state: State, now_ms: u64) -> Decision {
        self.take(state, 1, now_ms)
    }

    /// Judges a request that takes as much as `cost` requests. One that costs more than the burst takes all of it.
    pub fn take(&self, state: State, cost: u32, now_ms: u64) -> Decision {
        let now = now_ms.min(NOW_MS_MAX) * 1000;
        let window = self.window_us();
        // A due time further ahead than the whole window can only come from a clock that went back.
        let due = state.0.clamp(now, now + window);
        let next = due + self.interval_us * u64::from(cost.min(self.burst));
        let allowed = next - now <= window;
        let new = if allowed { next } else { due };
        let used = new - now;
        Decision {
            allowed,
            remaining: ((window - used) / self.interval_us) as u32,
            reset_ms: used.div_ceil(1000),
            retry_after_ms: if allowed { 0 } else { (next - now - window).div_ceil(1000) },
            new_state: State(new),
        }
    }

    /// The state after it has turned out that a request which took `reserved` has used `used`. Each is at most the burst,
    /// as in [`take`](Self::take).
    pub fn settle(&self, state: State, reserved: u32, used: u32, now_ms: u64) -> State {
        let now = now_ms.min(NOW_MS_MAX) * 1000;
        let latest = now + self.window_us();
        let cost = |cost: u32| self.interval_us * u64::from(cost.min(self.burst));
        let due = state.0.clamp(now, latest) + cost(used);
        State(due.saturating_sub(cost(reserved)).clamp(now, latest))
    }
}

//! One caller as one instance counts it.

use adlib_shared::rate::{Decision, Gcra, State};

use super::{LAG_DIVISOR, LAG_MS_MAX, PERIOD_MS};

/// What an instance knows about one caller.
///
/// No state lies further ahead than one period, and another instance's clock is not far from this one's. A state that is
/// more than two periods ahead was written before a clock went back; it counts as none, or it would lock the caller out
/// until the clock is there again.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The state with everything that this instance knows of.
    state: State,
    /// How many requests the store does not know of yet, and by how many microseconds they moved the state.
    unwritten: u32,
    unwritten_us: u64,
    /// When the store was last heard; `None` before the first time.
    heard_ms: Option<u64>,
}

/// By how many microseconds one request moves the state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share(u64);

/// What is to be written to the store, and what it then knows of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unwritten {
    pub(super) state: State,
    count: u32,
    us: u64,
}

impl Tally {
    /// Judges a request by what is known here, and counts it if it may pass.
    pub(super) fn reserve(&mut self, gcra: Gcra, now_ms: u64) -> (Decision, Share) {
        if self.state.0 > us(now_ms + 2 * PERIOD_MS).saturating_add(self.unwritten_us) {
            *self = Self::default();
        }
        let decision = gcra.check(self.state, now_ms);
        if !decision.allowed {
            return (decision, Share(0));
        }
        let share = Share(decision.new_state.0.saturating_sub(self.state.0.max(us(now_ms))));
        self.state = decision.new_state;
        self.unwritten += 1;
        self.unwritten_us += share.0;
        (decision, share)
    }

    /// Whether the store need not hear of the request that was just counted.
    pub(super) fn may_lag(&self, gcra: Gcra, now_ms: u64) -> bool {
        let recent = self.heard_ms.is_some_and(|heard| now_ms.saturating_sub(heard) < LAG_MS_MAX);
        recent && self.unwritten <= gcra.burst() / LAG_DIVISOR
    }

    /// Adds what the store says, and judges a reserved request by the sum. What the store has to be told comes back,
    /// and counts as told.
    pub(super) fn merge(
        &mut self,
        stored: State,
        share: Share,
        gcra: Gcra,
        now_ms: u64,
    ) -> (Decision, Option<Unwritten>) {
        let stored_us = if stored.0 > us(now_ms + 2 * PERIOD_MS) { 0 } else { stored.0 };
        let known_us = self.state.0.max(stored_us.max(us(now_ms)).saturating_add(self.unwritten_us));
        let without_us = known_us.saturating_sub(share.0);
        let decision = gcra.check(State(without_us), now_ms);
        self.heard_ms = Some(now_ms);
        if !decision.allowed {
            // Other requests hold shares in the rest; each of them will see for itself whether it fits.
            self.state = State(without_us);
            self.unwritten = self.unwritten.saturating_sub(1);
            self.unwritten_us = self.unwritten_us.saturating_sub(share.0);
            return (decision, None);
        }
        self.state = State(known_us);
        let unwritten = Unwritten { state: self.state, count: self.unwritten, us: self.unwritten_us };
        (self.unwritten, self.unwritten_us) = (0, 0);
        (decision, (unwritten.count > 0).then_some(unwritten))
    }

    /// The store was not told after all.
    pub(super) fn take_back(&mut self, unwritten: Unwritten) {
        self.unwritten = self.unwritten.saturating_add(unwritten.count);
        self.unwritten_us = self.unwritten_us.saturating_add(unwritten.us);
    }
}

const fn us(ms: u64) -> u64 {
    ms.saturating_mul(1000)
}

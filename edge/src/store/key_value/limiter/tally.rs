//! One caller as one instance counts it.

use adlib_shared::rate::{Decision, Gcra, State};

use super::{LAG_DIVISOR, LAG_MS_MAX};
use crate::limit::Limit;

/// What an instance knows about one caller.
///
/// No state lies further ahead than one period, and another instance's clock is not far from this one's. A state that is
/// more than two periods ahead was written before a clock went back; it counts as none, or it would lock the caller out
/// until the clock is there again.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The state with everything that this instance knows of.
    state: State,
    /// What the store does not know of yet.
    unwritten: Share,
    /// When the store was last heard; `None` before the first time.
    heard_ms: Option<u64>,
}

/// What requests took of a limit, and by how many microseconds they moved its state.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Share {
    cost: u32,
    us: u64,
}

/// What is to be written to the store, and what it then knows of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unwritten {
    pub(super) state: State,
    share: Share,
}

impl Tally {
    /// Judges a request by what is known here, and counts it if it may pass.
    pub(super) fn reserve(&mut self, limit: &Limit, now_ms: u64) -> (Decision, Share) {
        if self.state.0 > far_us(limit.gcra, now_ms).saturating_add(self.unwritten.us) {
            *self = Self::default();
        }
        let decision = limit.gcra.take(self.state, limit.cost, now_ms);
        if !decision.allowed {
            return (decision, Share::default());
        }
        let us = decision.new_state.0.saturating_sub(self.state.0.max(us(now_ms)));
        let share = Share { cost: limit.cost, us };
        self.state = decision.new_state;
        self.unwritten = self.unwritten.plus(share);
        (decision, share)
    }

    /// Whether the store need not hear of the request that was just counted.
    pub(super) fn may_lag(&self, gcra: Gcra, now_ms: u64) -> bool {
        let recent = self.heard_ms.is_some_and(|heard| now_ms.saturating_sub(heard) < LAG_MS_MAX);
        recent && self.unwritten.cost <= gcra.burst() / LAG_DIVISOR
    }

    /// Adds what the store says, and judges a reserved request by the sum. A refused one gives its share back.
    pub(super) fn merge(&mut self, stored: State, share: Share, limit: &Limit, now_ms: u64) -> Decision {
        let known_us = self.known_us(stored, limit.gcra, now_ms);
        let decision = limit.gcra.take(State(known_us.saturating_sub(share.us)), limit.cost, now_ms);
        self.heard_ms = Some(now_ms);
        self.state = State(known_us);
        if !decision.allowed {
            // Other requests hold shares in the rest; each of them will see for itself whether it fits.
            self.give_back(share);
        }
        decision
    }

    /// Corrects what a request took that was let through before, and says what the store has to be told.
    pub(super) fn settle(&mut self, stored: State, limit: &Limit, used: u32, now_ms: u64) -> Unwritten {
        let known = State(self.known_us(stored, limit.gcra, now_ms));
        self.state = limit.gcra.settle(known, limit.cost, used, now_ms);
        self.heard_ms = Some(now_ms);
        self.write()
    }

    /// The state by what the store says and by what it does not know of yet.
    fn known_us(&self, stored: State, gcra: Gcra, now_ms: u64) -> u64 {
        let stored_us = if stored.0 > far_us(gcra, now_ms) { 0 } else { stored.0 };
        self.state.0.max(stored_us.max(us(now_ms)).saturating_add(self.unwritten.us))
    }

    /// The request was not let through after all.
    pub(super) fn give_back(&mut self, share: Share) {
        self.state.0 = self.state.0.saturating_sub(share.us);
        self.unwritten = self.unwritten.less(share);
    }

    /// What the store has to be told; it counts as told.
    pub(super) fn write(&mut self) -> Unwritten {
        Unwritten { state: self.state, share: std::mem::take(&mut self.unwritten) }
    }

    /// The store was not told after all.
    pub(super) fn take_back(&mut self, unwritten: Unwritten) {
        self.unwritten = self.unwritten.plus(unwritten.share);
    }
}

impl Share {
    const fn plus(self, other: Self) -> Self {
        Self { cost: self.cost.saturating_add(other.cost), us: self.us.saturating_add(other.us) }
    }

    const fn less(self, other: Self) -> Self {
        Self { cost: self.cost.saturating_sub(other.cost), us: self.us.saturating_sub(other.us) }
    }
}

/// Two periods ahead.
fn far_us(gcra: Gcra, now_ms: u64) -> u64 {
    us(now_ms).saturating_add(2 * gcra.window_us())
}

const fn us(ms: u64) -> u64 {
    ms.saturating_mul(1000)
}

//! How often a caller may ask: the generic cell rate algorithm, with its state in the key-value store.
//!
//! The store has no compare-and-swap. Two instances that judge the same caller at the same moment can lose one of
//! the two counts, so the limit is exact within an instance and close to exact across several. Between two visits
//! to the store an instance counts by itself: at most one request in [`LAG_DIVISOR`] of the burst, so not at all for
//! bursts up to that number, and for at most [`LAG_MS_MAX`]. What an instance that ends has not yet written is lost.

mod headers;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use adlib_shared::rate::{Decision, Gcra, State};
use futures::lock::Mutex;

pub use self::headers::mark;
use crate::world::{StoreError, World};

/// The period of every limit, in milliseconds.
pub const PERIOD_MS: u64 = 60_000;
/// An instance may run ahead of the store by the burst divided by this.
pub const LAG_DIVISOR: u32 = 128;
/// An instance may run ahead of the store for so long, in milliseconds.
pub const LAG_MS_MAX: u64 = 1000;
/// Most callers that an instance remembers. Beyond that it forgets all of them and asks the store again.
pub const CALLERS_MAX: usize = 4096;

/// The limits as one instance counts them.
#[derive(Debug, Default)]
pub struct Limiter {
    callers: RefCell<HashMap<String, Rc<Mutex<Tally>>>>,
}

/// What an instance knows about one caller.
#[derive(Debug, Default)]
struct Tally {
    state: State,
    /// Requests let through since the last visit to the store, and the microseconds by which they moved the state.
    unwritten: u32,
    unwritten_us: u64,
    /// When the store was last asked; `None` before the first time.
    visited_ms: Option<u64>,
}

impl Limiter {
    /// Judges and counts one request of the caller that is stored under `name`.
    ///
    /// Where the store fails, the instance's own count decides; the second value says so.
    pub async fn take<W: World>(
        &self,
        world: &W,
        name: &str,
        gcra: Gcra,
        now_ms: u64,
    ) -> (Decision, Option<StoreError>) {
        let tally = self.tally(name);
        // One request of a caller at a time between reading the store and writing it.
        let mut tally = tally.lock().await;
        let by_itself = gcra.check(tally.state, now_ms);
        if !by_itself.allowed {
            return (by_itself, None);
        }
        if tally.may_lag(gcra, now_ms) {
            tally.count(by_itself, now_ms);
            return (by_itself, None);
        }
        match tally.visit(world, name, gcra, now_ms).await {
            Ok(decision) => (decision, None),
            Err(error) => {
                tally.count(by_itself, now_ms);
                (by_itself, Some(error))
            }
        }
    }

    fn tally(&self, name: &str) -> Rc<Mutex<Tally>> {
        let mut callers = self.callers.borrow_mut();
        if let Some(tally) = callers.get(name) {
            return Rc::clone(tally);
        }
        if callers.len() >= CALLERS_MAX {
            callers.clear();
        }
        Rc::clone(callers.entry(name.to_owned()).or_default())
    }
}

impl Tally {
    fn may_lag(&self, gcra: Gcra, now_ms: u64) -> bool {
        let recent = self.visited_ms.is_some_and(|visited| now_ms.saturating_sub(visited) < LAG_MS_MAX);
        recent && self.unwritten < gcra.burst() / LAG_DIVISOR
    }

    /// Counts a request without the store.
    fn count(&mut self, decision: Decision, now_ms: u64) {
        let before_us = self.state.0.max(now_ms.saturating_mul(1000));
        self.unwritten_us += decision.new_state.0.saturating_sub(before_us);
        self.unwritten += 1;
        self.state = decision.new_state;
    }

    /// Adds what was counted here to what the store says, judges the request by the sum, and writes it back.
    async fn visit<W: World>(
        &mut self,
        world: &W,
        name: &str,
        gcra: Gcra,
        now_ms: u64,
    ) -> Result<Decision, StoreError> {
        let stored =
            world.get(name).await?.and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
        let due_us = stored.unwrap_or(0).max(now_ms.saturating_mul(1000));
        let decision = gcra.check(State(due_us.saturating_add(self.unwritten_us)), now_ms);
        if decision.allowed || self.unwritten > 0 {
            world.set(name, &decision.new_state.0.to_le_bytes()).await?;
        }
        *self = Self { state: decision.new_state, unwritten: 0, unwritten_us: 0, visited_ms: Some(now_ms) };
        Ok(decision)
    }
}

#[cfg(test)]
mod tests;

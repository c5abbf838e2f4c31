//! How often a caller may ask: the generic cell rate algorithm, with its state in the key-value store.
//!
//! The store has no compare-and-swap. Two instances that judge the same caller at the same moment can lose one of
//! the two counts, so the limit is exact within an instance and close to exact across several. What was counted is
//! written after the reply where much is left, because a store may take its time to write. Between two visits
//! to the store an instance counts by itself: at most one request in [`LAG_DIVISOR`] of the burst, so not at all for
//! bursts up to that number, and for at most [`LAG_MS_MAX`]. What an instance that ends has not yet written is lost.

mod headers;
mod tally;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use adlib_shared::rate::{Decision, Gcra, State};

pub use self::headers::mark;
use self::tally::{Tally, Unwritten};
use crate::world::{StoreError, World};

/// The period of every limit, in milliseconds.
pub const PERIOD_MS: u64 = 60_000;
/// An instance may run ahead of the store by the burst divided by this.
pub const LAG_DIVISOR: u32 = 128;
/// An instance may run ahead of the store for so long, in milliseconds.
pub const LAG_MS_MAX: u64 = 1000;
/// Most callers that an instance remembers. Beyond that it forgets all of them and asks the store again.
pub const CALLERS_MAX: usize = 4096;

/// What became of a request.
#[derive(Debug)]
pub struct Taken {
    /// Whether it may pass, and what is left.
    pub decision: Decision,
    /// What the store is to be told.
    pub untold: Option<Untold>,
    /// Why the store could not be asked.
    pub error: Option<StoreError>,
}

/// Requests that were let through, and of which the store does not know yet.
#[derive(Debug)]
pub struct Untold {
    name: String,
    tally: Rc<RefCell<Tally>>,
    unwritten: Unwritten,
}

impl Untold {
    /// Tells the store.
    ///
    /// # Errors
    /// The store's; it is told with a later request then.
    pub async fn tell<W: World>(self, world: &W) -> Result<(), StoreError> {
        let Self { name, tally, unwritten } = self;
        let written = world.set(&name, &unwritten.state.0.to_le_bytes()).await;
        if written.is_err() {
            tally.borrow_mut().take_back(unwritten);
        }
        written
    }
}

/// The limits as one instance counts them.
///
/// Requests of one caller that are judged at once do not wait for each other: each reserves its share before it asks
/// the store, and gives it back if the store shows that the share is not there. (A request that only waits for another
/// one could not be woken by the runtime.)
#[derive(Debug, Default)]
pub struct Limiter {
    callers: RefCell<HashMap<String, Rc<RefCell<Tally>>>>,
}

impl Limiter {
    /// Judges and counts one request of the caller that is stored under `name`. Where the store fails, the instance's
    /// own count decides.
    pub async fn take<W: World>(&self, world: &W, name: &str, gcra: Gcra, now_ms: u64) -> Taken {
        let tally = self.tally(name);
        let (by_itself, share) = tally.borrow_mut().reserve(gcra, now_ms);
        if !by_itself.allowed || tally.borrow().may_lag(gcra, now_ms) {
            return Taken { decision: by_itself, untold: None, error: None };
        }
        let stored = match read(world, name).await {
            Ok(stored) => stored,
            Err(error) => return Taken { decision: by_itself, untold: None, error: Some(error) },
        };
        let (decision, unwritten) = tally.borrow_mut().merge(stored, share, gcra, now_ms);
        let untold = unwritten.map(|unwritten| Untold { name: name.to_owned(), tally, unwritten });
        Taken { decision, untold, error: None }
    }

    fn tally(&self, name: &str) -> Rc<RefCell<Tally>> {
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

/// What the store says; a value that is not a state counts as none.
async fn read<W: World>(world: &W, name: &str) -> Result<State, StoreError> {
    let stored = world.get(name).await?;
    let state = stored.and_then(|bytes| Some(State(u64::from_le_bytes(bytes.try_into().ok()?))));
    Ok(state.unwrap_or_default())
}

#[cfg(test)]
mod tests;

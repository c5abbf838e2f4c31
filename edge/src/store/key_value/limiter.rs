//! Limits over a store that cannot count: the generic cell rate algorithm, its state a number in the key-value store.
//!
//! Two instances that judge the same caller at the same moment can lose one of the two counts, so a limit is exact
//! within an instance and close to exact across several. What was counted is written after the reply where much is
//! left, because a store may take its time to write. Between two visits to the store an instance counts by itself: at
//! most one in [`LAG_DIVISOR`] of the burst, so not at all for bursts up to that number, and for at most [`LAG_MS_MAX`].
//! What an instance that ends has not yet written is lost.

mod tally;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use adlib_shared::rate::{Decision, State};
use twox_hash::XxHash3_64;

use self::tally::{Share, Tally, Unwritten};
use crate::block::Subject;
use crate::client_address::ClientAddress;
use crate::limit::{Limit, Meter};
use crate::world::{StoreError, World};

/// An instance may run ahead of the store by the burst divided by this.
pub(super) const LAG_DIVISOR: u32 = 128;
/// An instance may run ahead of the store for so long, in milliseconds.
pub(super) const LAG_MS_MAX: u64 = 1000;
/// Most callers that an instance remembers. Beyond that it forgets all of them and asks the store again.
pub(super) const CALLERS_MAX: usize = 4096;
/// In how many groups addresses are counted, so that the store does not grow with the addresses that come by. Two
/// addresses of one group share a limit.
pub(super) const ADDRESS_GROUPS: u16 = 4096;

/// What became of a request.
#[derive(Debug)]
pub(super) struct Taken {
    /// What each limit says.
    pub(super) decisions: Vec<Decision>,
    /// What the store is to be told.
    pub(super) untold: Vec<Untold>,
}

/// What was let through, and of which the store does not know yet.
#[derive(Debug)]
pub(super) struct Untold {
    name: String,
    tally: Rc<RefCell<Tally>>,
    unwritten: Unwritten,
}

impl Untold {
    /// Tells the store.
    ///
    /// # Errors
    /// The store's; it is told with a later request then.
    pub(super) async fn tell<W: World>(self, world: &W) -> Result<(), StoreError> {
        let Self { name, tally, unwritten } = self;
        let written = world.set(&name, &unwritten.state.0.to_le_bytes()).await;
        if written.is_err() {
            tally.borrow_mut().take_back(unwritten);
        }
        written
    }
}

/// One limit on the way through its judgement.
struct Judged<'a> {
    limit: &'a Limit,
    name: String,
    tally: Rc<RefCell<Tally>>,
    decision: Decision,
    share: Share,
    is_told: bool,
}

/// The limits as one instance counts them.
///
/// Requests of one caller that are judged at once do not wait for each other: each reserves its share before it asks
/// the store, and gives it back if the store shows that the share is not there. (A request that only waits for another
/// one could not be woken by the runtime.)
#[derive(Debug, Default)]
pub(super) struct Limiter {
    callers: RefCell<HashMap<String, Rc<RefCell<Tally>>>>,
}

impl Limiter {
    /// Judges one request by all of its limits, and counts it in all of them or in none.
    ///
    /// # Errors
    /// The store's; nothing is counted then.
    pub(super) async fn take<W: World>(
        &self,
        world: &W,
        limits: &[Limit],
        now_ms: u64,
    ) -> Result<Taken, StoreError> {
        let mut judged: Vec<Judged<'_>> = limits.iter().map(|limit| self.reserve(limit, now_ms)).collect();
        let asked = if all_allow(&judged) { ask(world, &mut judged, now_ms).await } else { Ok(()) };
        if asked.is_err() || !all_allow(&judged) {
            for judged in judged.iter().filter(|judged| judged.decision.allowed) {
                judged.tally.borrow_mut().give_back(judged.share);
            }
            asked?;
            return Ok(Taken { decisions: decisions(&judged), untold: Vec::new() });
        }
        let decisions = decisions(&judged);
        let told = judged.into_iter().filter(|judged| judged.is_told && judged.limit.cost > 0);
        let untold = told.map(|Judged { name, tally, .. }| {
            let unwritten = tally.borrow_mut().write();
            Untold { name, tally, unwritten }
        });
        Ok(Taken { decisions, untold: untold.collect() })
    }

    /// Corrects what a request took of a limit.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn settle<W: World>(
        &self,
        world: &W,
        limit: &Limit,
        used: u32,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let name = name(&limit.meter);
        let tally = self.tally(&name);
        let stored = read(world, &name).await?;
        let unwritten = tally.borrow_mut().settle(stored, limit, used, now_ms);
        Untold { name, tally, unwritten }.tell(world).await
    }

    /// Forgets what was counted.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn forget<W: World>(&self, world: &W, meter: &Meter) -> Result<(), StoreError> {
        let name = name(meter);
        self.callers.borrow_mut().remove(&name);
        world.delete(&name).await
    }

    fn reserve<'a>(&self, limit: &'a Limit, now_ms: u64) -> Judged<'a> {
        let name = name(&limit.meter);
        let tally = self.tally(&name);
        let (decision, share) = tally.borrow_mut().reserve(limit, now_ms);
        Judged { limit, name, tally, decision, share, is_told: false }
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

/// Adds what the store knows to what the instance knows.
async fn ask<W: World>(world: &W, judged: &mut [Judged<'_>], now_ms: u64) -> Result<(), StoreError> {
    for judged in judged {
        if judged.tally.borrow().may_lag(judged.limit.gcra, now_ms) {
            continue;
        }
        let stored = read(world, &judged.name).await?;
        judged.decision = judged.tally.borrow_mut().merge(stored, judged.share, judged.limit, now_ms);
        judged.is_told = true;
        if !judged.decision.allowed {
            break;
        }
    }
    Ok(())
}

fn all_allow(judged: &[Judged<'_>]) -> bool {
    judged.iter().all(|judged| judged.decision.allowed)
}

fn decisions(judged: &[Judged<'_>]) -> Vec<Decision> {
    judged.iter().map(|judged| judged.decision).collect()
}

/// What the store says; a value that is not a state counts as none.
async fn read<W: World>(world: &W, name: &str) -> Result<State, StoreError> {
    let stored = world.get(name).await?;
    let state = stored.and_then(|bytes| Some(State(u64::from_le_bytes(bytes.try_into().ok()?))));
    Ok(state.unwrap_or_default())
}

fn name(meter: &Meter) -> String {
    match meter {
        Meter::Address(address) => format!("rate/group/{:03x}", group(*address)),
        Meter::Failures(address) => format!("failures/group/{:03x}", group(*address)),
        Meter::Strikes(Subject::Address(address)) => format!("strikes/group/{:03x}", group(*address)),
        Meter::Key(_) | Meter::Tenant(_) | Meter::Tokens(_) | Meter::Strikes(Subject::Key(_)) => {
            meter.to_string()
        }
    }
}

fn group(address: ClientAddress) -> u16 {
    (XxHash3_64::oneshot(&address.octets()) % u64::from(ADDRESS_GROUPS)) as u16
}

#[cfg(test)]
mod tests;

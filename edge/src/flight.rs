//! One way to the origin for equal briefs: the first request leads, the others wait for what it brings.
//!
//! Within an instance that holds by itself. Across instances it rests on a lease in the store: on Redis it is one
//! instance's at a time; on the key-value store, which knows no leases, each instance has its own.
//!
//! The runtime wakes a request only for the runtime's own events, never for another request's doing. So a follower does
//! not wait for its leader; it sleeps on the runtime's clock and looks, soon at first and then less often. Nor does a
//! leader owe its followers anything: where it ends without an outcome, because its client left or its stream broke, the
//! first follower that sees it takes the lead.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, hash_map};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use adlib_shared::cache_key::CacheKey;
use futures::future::{Either, select};

use crate::cache::Entry;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::log;
use crate::request_id::RequestId;
use crate::store::Lease;
use crate::world::World;

/// The first pause before a follower looks again.
pub const PAUSE_MIN: Duration = Duration::from_millis(2);
/// The longest pause: each is twice as long as the last one up to here.
pub const PAUSE_MAX: Duration = Duration::from_millis(50);
/// The longest that a follower waits before it goes its own way.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a lease lasts that is not prolonged, in milliseconds. An instance that ends in the middle holds the others up
/// for so long.
pub const LEASE_MS: u64 = 10_000;
/// How often a lease is prolonged.
pub const PROLONG: Duration = Duration::from_secs(3);

/// What a leader brought.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// An answer, stored or not.
    Answer(Rc<Entry>),
    /// The origin's failure.
    Failure(Failure),
}

/// One way to the origin.
#[derive(Debug, Default)]
struct Flight {
    has_ended: Cell<bool>,
    outcome: RefCell<Option<Outcome>>,
}

/// The ways to the origin that this instance has begun, by cache key.
#[derive(Debug, Clone, Default)]
pub struct Flights(Rc<RefCell<HashMap<CacheKey, Rc<Flight>>>>);

/// A request's part in a flight.
#[derive(Debug)]
pub enum Joined {
    /// It goes to the origin.
    Lead(Lead),
    /// Another one has gone.
    Follow(Follow),
}

/// The duty to bring an outcome. Dropping it ends the flight without one.
#[derive(Debug)]
pub struct Lead {
    flights: Flights,
    key: CacheKey,
    flight: Rc<Flight>,
    lease: Option<Held>,
}

/// A lease that is held. One that is dropped without having been given back is so after the reply, unless another request
/// of the instance has taken the lead over, and the lease with it.
struct Held {
    lease: Lease,
    give_back: Option<Box<dyn FnOnce()>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(give_back) = self.give_back.take() {
            give_back();
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Held").field(&self.lease).finish()
    }
}

/// The hope for an outcome.
#[derive(Debug)]
pub struct Follow(Rc<Flight>);

/// What a follower found.
#[derive(Debug)]
pub enum Waited {
    /// An outcome.
    Landed(Outcome),
    /// The leader ended without one.
    Abandoned,
    /// Nothing in the time that it had.
    Late,
}

impl Flights {
    /// Leads the flight of a key, or follows the one that there is.
    pub fn join(&self, key: CacheKey) -> Joined {
        match self.0.borrow_mut().entry(key) {
            hash_map::Entry::Occupied(running) => Joined::Follow(Follow(Rc::clone(running.get()))),
            hash_map::Entry::Vacant(free) => {
                let flight = Rc::clone(free.insert(Rc::default()));
                Joined::Lead(Lead { flights: self.clone(), key, flight, lease: None })
            }
        }
    }

    /// Leads the flight of a key, unless somebody does.
    pub fn lead(&self, key: CacheKey) -> Option<Lead> {
        match self.join(key) {
            Joined::Lead(lead) => Some(lead),
            Joined::Follow(_) => None,
        }
    }

    /// Whether somebody leads the flight of a key.
    fn are_under_way(&self, key: &CacheKey) -> bool {
        self.0.borrow().contains_key(key)
    }
}

impl Lead {
    /// The lease of the key. All requests of an instance hold leases in its name, so that one can take over from another.
    pub fn new_lease<W: World>(&self, edge: &Edge<W>) -> Lease {
        let name = format!("flight/{}", self.key);
        Lease { name, token: edge.instance, seats: 1, lasts_ms: LEASE_MS }
    }

    /// Takes the lease of the key, false where another instance holds it; and looks whether the answer has come meanwhile.
    /// Where the store fails, the lead holds within the instance alone.
    pub async fn take_lease<W: World>(
        &mut self,
        edge: &Rc<Edge<W>>,
        id: &RequestId,
        now_ms: u64,
    ) -> (bool, Option<Vec<u8>>) {
        let lease = self.new_lease(edge);
        match edge.store.lead(&lease, self.key.as_bytes(), now_ms).await {
            Ok((is_taken, entry)) => {
                if is_taken {
                    self.hold(edge, id, lease);
                }
                (is_taken, entry)
            }
            Err(error) => {
                log::warn(id, error);
                (true, None)
            }
        }
    }

    /// Notes that the lease has been taken.
    pub fn hold<W: World>(&mut self, edge: &Rc<Edge<W>>, id: &RequestId, lease: Lease) {
        if self.lease.is_some() {
            return;
        }
        let (edge, id, key, abandoned) = (Rc::clone(edge), id.clone(), self.key, lease.clone());
        let give_back = move || {
            let world = Rc::clone(&edge.world);
            world.later(async move {
                if edge.flights.are_under_way(&key) {
                    return;
                }
                if let Err(error) = edge.store.release(&abandoned).await {
                    log::warn(&id, error);
                }
            });
        };
        self.lease = Some(Held { lease, give_back: Some(Box::new(give_back)) });
    }

    /// The lease, if there is one.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref().map(|held| &held.lease)
    }

    /// Notes that the store has the lease back.
    pub fn forget_lease(&mut self) {
        if let Some(mut held) = self.lease.take() {
            held.give_back = None;
        }
    }

    /// Ends the flight with an outcome.
    pub async fn land<W: World>(mut self, edge: &Edge<W>, id: &RequestId, outcome: Outcome) {
        self.flight.outcome.replace(Some(outcome));
        if let Some(held) = &self.lease
            && let Err(error) = edge.store.release(&held.lease).await
        {
            log::warn(id, error);
        }
        self.forget_lease();
    }
}

/// Does some work, and prolongs the leases, if there are any, as long as it lasts.
pub async fn prolonging<W: World, T>(
    edge: &Edge<W>,
    id: &RequestId,
    now_ms: u64,
    leases: impl Iterator<Item = &Lease> + Clone,
    work: impl Future<Output = T>,
) -> T {
    if leases.clone().next().is_none() {
        return work.await;
    }
    let (mut work, mut now_ms) = (pin!(work), now_ms);
    loop {
        match select(work.as_mut(), pin!(edge.world.sleep(PROLONG))).await {
            Either::Left((done, _)) => return done,
            Either::Right(((), _)) => {
                now_ms += PROLONG.as_millis() as u64;
                for lease in leases.clone() {
                    if let Err(error) = edge.store.acquire(lease, now_ms).await {
                        log::warn(id, error);
                    }
                }
            }
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.flight.has_ended.set(true);
        self.flights.0.borrow_mut().remove(&self.key);
    }
}

impl Follow {
    /// Looks for the outcome until there is one, the leader has ended, or `patience` is over.
    pub async fn wait<W: World>(&self, world: &W, patience: Duration) -> Waited {
        let (mut pause, mut waited) = (PAUSE_MIN, Duration::ZERO);
        while !self.0.has_ended.get() {
            if waited >= patience {
                return Waited::Late;
            }
            world.sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        self.0.outcome.borrow().clone().map_or(Waited::Abandoned, Waited::Landed)
    }
}

#[cfg(test)]
mod tests;

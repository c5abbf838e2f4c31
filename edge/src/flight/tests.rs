//! Who leads, who follows, and what becomes of them.

use adlib_shared::brief::Brief;
use adlib_shared::cache_key::{Operation, Scope};
use adlib_shared::keyed_hash::KeyedHash;
use futures::executor::block_on;
use futures::future::join;

use super::*;
use crate::harness::{Harness, brief};

/// The key of a brief of this product.
fn key(product: &str) -> CacheKey {
    let mut document = brief();
    document["product"]["name"] = product.into();
    let brief = Brief::parse(document.to_string().as_bytes(), &["en"]).expect("a brief");
    CacheKey::of(&KeyedHash::new(b"secret"), Scope::Tenant("acme"), Operation::Copy, &brief, "sha256:one", 1)
}

fn lead(flights: &Flights) -> Lead {
    let Joined::Lead(lead) = flights.join(key("Tea")) else { panic!("nobody leads yet") };
    lead
}

fn follow(flights: &Flights) -> Follow {
    let Joined::Follow(follow) = flights.join(key("Tea")) else { panic!("somebody leads") };
    follow
}

fn id() -> RequestId {
    RequestId::choose(None, || 1)
}

fn failure() -> Failure {
    Failure::new(adlib_shared::problem::Code::Overloaded, "full")
}

#[test]
fn a_follower_gets_what_the_leader_brings() {
    let (flights, harness) = (Flights::default(), Harness::new());
    let leader = lead(&flights);
    let follower = follow(&flights);
    let leading = async {
        harness.world().sleep(Duration::from_millis(700)).await;
        leader.land(&harness.edge, &id(), Outcome::Failure(failure())).await;
    };
    let (waited, ()) = block_on(join(follower.wait(harness.world(), WAIT_MAX), leading));
    assert!(matches!(waited, Waited::Landed(Outcome::Failure(brought)) if brought == failure()));
    drop(lead(&flights));
}

#[test]
fn a_leader_that_ends_leaves_the_lead_to_the_next() {
    let (flights, harness) = (Flights::default(), Harness::new());
    let leader = lead(&flights);
    let follower = follow(&flights);
    drop(leader);
    assert!(matches!(block_on(follower.wait(harness.world(), WAIT_MAX)), Waited::Abandoned));
    drop(lead(&flights));
}

#[test]
fn a_follower_waits_no_longer_than_it_may() {
    let (flights, harness) = (Flights::default(), Harness::new());
    let _leader = lead(&flights);
    for patience in [Duration::ZERO, Duration::from_millis(1), WAIT_MAX] {
        let before = harness.world().slept();
        assert!(matches!(block_on(follow(&flights).wait(harness.world(), patience)), Waited::Late));
        let waited = harness.world().slept().saturating_sub(before);
        assert!(waited >= patience && waited < patience + PAUSE_MAX, "{patience:?}: {waited:?}");
    }
}

#[test]
fn a_lease_that_its_leader_leaves_is_the_next_instances() {
    let first = Harness::on_redis(&[]);
    let second = first.apart();
    let take = |harness: &Harness| {
        let mut lead = lead(&harness.edge.flights);
        let (is_taken, _) = block_on(lead.take_lease(&harness.edge, &id(), harness.now_ms));
        (lead, is_taken)
    };
    let (left, is_taken) = take(&first);
    assert!(is_taken && !take(&second).1);
    drop(left);
    let (over, is_taken) = take(&first);
    assert!(is_taken, "another request of the instance takes it over");
    block_on(first.world().catch_up());
    assert!(!take(&second).1, "and keeps it");
    drop(over);
    block_on(first.world().catch_up());
    assert!(take(&second).1);
}

#[test]
fn other_keys_have_flights_of_their_own() {
    let flights = Flights::default();
    let _leader = lead(&flights);
    assert!(matches!(flights.join(key("Coffee")), Joined::Lead(_)));
}

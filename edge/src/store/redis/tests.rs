//! The store over a real Redis server.

use adlib_shared::key::KeyId;
use futures::executor::block_on;
use http::{Method, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::block::DECAY_MS;
use crate::harness::{Harness, brief, key, request, written};
use crate::limit::Meter;
use crate::request_id::RequestId;
use crate::world::Value;
use crate::world::memory::Memory;
use crate::world::redis_server::RedisServer;

const NOW_MS: u64 = 1_700_000_000_000;
const KEY: [u8; 32] = [1; 32];

fn world() -> Rc<Memory> {
    Rc::new(Memory::with_redis(RedisServer::start()))
}

fn store(world: &Rc<Memory>) -> Redis<Memory> {
    Redis::new(Rc::clone(world), RedisAddress::parse("redis://127.0.0.1:6379", "").expect("an address"))
}

/// What the server holds under a name.
fn held(world: &Memory, name: &str) -> Option<String> {
    let values = run(world, "GET", &[&format!("{PREFIX}{name}")]);
    match &values[..] {
        [Value::Bytes(bytes)] => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

fn run(world: &Memory, command: &'static str, arguments: &[&str]) -> Vec<Value> {
    let arguments = arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect();
    block_on(world.redis("", command, arguments)).expect("the server answers")
}

fn visited(
    store: &Redis<Memory>,
    subjects: &[Subject],
    limits: &[Limit],
    tags: &[String],
    fresh_epoch: u128,
) -> Visited {
    let id = RequestId::choose(None, || 0);
    let visit = Visit { subjects, limits, entry: Some(&KEY), tags, fresh_epoch, ..Visit::new(&id, NOW_MS) };
    block_on(store.visit(visit)).expect("the server answers")
}

fn meter(digit: usize) -> Meter {
    Meter::Key(KeyId::parse(&digit.to_string().repeat(16)).expect("16 digits"))
}

fn address(text: &str) -> Subject {
    Subject::parse(&format!("address/{text}")).expect("an address")
}

#[test]
fn a_server_that_forgot_the_scripts_is_given_them_again() {
    let world = world();
    let store = store(&world);
    for _ in 0..2 {
        assert!(visited(&store, &[], &[], &[], 0).passes());
        run(&world, "SCRIPT", &["FLUSH"]);
    }
    for script in [&store.scripts.visit, &store.scripts.strike, &store.scripts.keep, &store.scripts.block] {
        let loaded = run(&world, "SCRIPT", &["LOAD", script.text]);
        assert_eq!(loaded, [Value::Bytes(script.digest().as_bytes().to_vec())]);
    }
}

#[test]
fn one_visit_brings_the_entry_and_the_epochs_to_every_instance() {
    let world = world();
    let (first, second) = (store(&world), store(&world));
    let tags = ["all".to_owned(), "tenant/acme".to_owned()];
    assert_eq!(visited(&first, &[], &[], &tags, 5), Visited { epochs: vec![5, 5], ..Visited::default() });
    let sealed = b"\0binary\xff".as_slice();
    let entry = NewEntry { key: &KEY, sealed, keep_s: 60, lease: None };
    assert_eq!(block_on(first.keep(entry)), Ok(true));
    block_on(second.renew("all", u128::MAX)).expect("the server answers");
    let found = visited(&first, &[], &[], &tags, 6);
    assert_eq!((found.entry.as_deref(), found.epochs), (Some(sealed), vec![u128::MAX, 5]));
    run(&world, "FLUSHALL", &[]);
    let lost = visited(&first, &[], &[], &tags, 7);
    assert_eq!((lost.entry, lost.epochs), (None, vec![7, 7]), "an epoch that was lost does not come back");
}

#[test]
fn whoever_is_blocked_gets_nothing_and_counts_nothing() {
    let world = world();
    let (first, second) = (store(&world), store(&world));
    let (good, bad) = (address("192.0.2.2"), address("192.0.2.1"));
    let limits = [Limit { meter: meter(1), gcra: Gcra::new(60_000, 10), cost: 1 }];
    // The instances' clock is years behind the server's, and a block lasts as long all the same.
    let is_left = |block: Block| (590_000..=600_000).contains(&(block.until_ms - NOW_MS)) && block.level == 3;
    let block = Block { until_ms: NOW_MS + 600_000, level: 3 };
    block_on(first.block(bad, block, NOW_MS)).expect("the server answers");
    let (place, found) = visited(&second, &[good, bad], &limits, &[], 0).blocked.expect("a block");
    assert!(place == 1 && is_left(found), "{found:?}");
    assert_eq!(held(&world, &limits[0].meter.to_string()), None);
    let listed = block_on(second.blocks(NOW_MS)).expect("the server answers");
    assert!(matches!(&listed[..], [(subject, block)] if *subject == bad && is_left(*block)), "{listed:?}");
    assert_eq!(block_on(second.unblock(bad, NOW_MS)), Ok(true));
    assert_eq!(block_on(first.unblock(bad, NOW_MS)), Ok(false));
    assert!(visited(&first, &[bad], &limits, &[], 0).passes());
    assert_eq!(block_on(first.blocks(NOW_MS)), Ok(Vec::new()));
}

#[test]
fn a_block_ends_by_itself_and_leaves_the_list_with_the_next_one() {
    let world = world();
    let store = store(&world);
    let [short, long] = ["192.0.2.1", "192.0.2.2"].map(address);
    let block = |subject, lasts_ms| {
        let block = Block { until_ms: NOW_MS + lasts_ms, level: 0 };
        block_on(store.block(subject, block, NOW_MS)).expect("the server answers");
    };
    block(short, 50);
    assert!(!visited(&store, &[short], &[], &[], 0).passes());
    run(&world, "BLPOP", &["nothing", "0.08"]);
    assert!(visited(&store, &[short], &[], &[], 0).passes());
    assert_eq!(block_on(store.blocks(NOW_MS)), Ok(Vec::new()));
    assert_eq!(block_on(store.unblock(short, NOW_MS)), Ok(false));
    block(short, 50);
    run(&world, "BLPOP", &["nothing", "0.08"]);
    block(long, 60_000);
    assert_eq!(run(&world, "ZCARD", &[&names::blocks()]), [Value::Number(1)]);
}

#[test]
fn a_block_is_set_and_ended_in_one_command() {
    let world = world();
    let store = store(&world);
    let (subject, block) = (address("192.0.2.1"), Block { until_ms: NOW_MS + 60_000, level: 0 });
    let gcra = Gcra::new(600_000, 1);
    for _ in 0..2 {
        block_on(store.block(subject, block, NOW_MS)).expect("the server answers");
        block_on(store.strike(subject, gcra, NOW_MS)).expect("the server answers");
        block_on(store.unblock(subject, NOW_MS)).expect("the server answers");
        assert!(run(&world, "KEYS", &["*"]).is_empty(), "strikes and list are gone with it");
    }
    // The first of each script is given to the server, and what comes after is the one command.
    let asked = world.reads("EVAL");
    block_on(store.block(subject, block, NOW_MS)).expect("the server answers");
    assert_eq!(block_on(store.unblock(subject, NOW_MS)), Ok(true));
    assert_eq!(world.reads("EVAL") - asked, 2);
}

#[test]
fn strikes_lead_to_blocks_that_double_as_in_rust() {
    let world = world();
    let store = store(&world);
    let (subject, gcra) = (address("2001:db8::"), Gcra::new(600_000, 3));
    let strike = || block_on(store.strike(subject, gcra, 0)).expect("the server answers");
    assert!((0..3).all(|_| strike().is_none()));
    assert_eq!(strike().expect("a block").level, 0);
    assert!(!visited(&store, &[subject], &[], &[], 0).passes());
    for (level, hours) in [(0, 0), (1, 0), (10, 0), (11, 0), (3, 1), (3, 2), (3, 9)] {
        let Value::Bytes(seconds) = run(&world, "TIME", &[]).remove(0) else { panic!("no time") };
        let now_ms = String::from_utf8_lossy(&seconds).parse::<u64>().expect("seconds") * 1000;
        // Half an hour keeps the test away from where a doubling decays.
        let last = Block { until_ms: now_ms - hours * DECAY_MS - DECAY_MS / 2, level };
        let name = names::block(&subject);
        run(&world, "SET", &[&name, &format!("{} {}", last.until_ms, last.level)]);
        assert!((0..3).all(|_| strike().is_none()), "the strikes were taken back with the block");
        let block = strike().expect("a block");
        let expected = Block::after(Some(last), now_ms);
        assert_eq!(block.level, expected.level, "{last:?}");
        assert!(block.until_ms.abs_diff(expected.until_ms) < 5000, "{block:?} {expected:?}");
    }
}

#[test]
fn a_lease_is_one_holders_until_it_ends_or_is_given_back() {
    let world = world();
    let (first, second) = (store(&world), store(&world));
    let [mine, other] =
        [1, 2].map(|token| Lease { name: "flight/a".to_owned(), token, seats: 1, lasts_ms: 60_000 });
    let acquire = |store: &Redis<Memory>, lease: &Lease, lasts_ms| {
        block_on(store.acquire(&Lease { lasts_ms, ..lease.clone() }, 0)) == Ok(true)
    };
    let keep = |lease| {
        let entry = NewEntry { key: &KEY, sealed: b"one", keep_s: 60, lease: Some(lease) };
        block_on(first.keep(entry)).expect("the server answers")
    };
    assert!(acquire(&first, &mine, 60_000) && !acquire(&second, &other, 60_000));
    assert!(acquire(&first, &mine, 50), "the holder prolongs it, or shortens it");
    run(&world, "BLPOP", &["nothing", "0.08"]);
    assert!(keep(&mine), "nobody has taken it over");
    assert!(acquire(&second, &other, 60_000) && !keep(&mine));
    block_on(first.release(&mine)).expect("the server answers");
    assert!(!acquire(&first, &mine, 60_000), "only the holder gives it back");
    assert!(keep(&other) && acquire(&first, &mine, 60_000), "with what was made under it, it is given back");
    block_on(first.release(&mine)).expect("the server answers");
    assert!(acquire(&second, &other, 60_000));
    block_on(second.release(&other)).expect("the server answers");
    assert!(acquire(&first, &mine, 60_000));
    let entry = Some(b"one".to_vec());
    assert_eq!(block_on(first.lead(&mine, &KEY, 0)), Ok((true, entry.clone())));
    assert_eq!(block_on(second.lead(&other, &KEY, 0)), Ok((false, entry)));
    assert_eq!(block_on(first.lead(&mine, &[9; 32], 0)), Ok((true, None)));
}

#[test]
fn a_lease_of_several_seats_is_held_by_so_many() {
    let world = world();
    let (first, second) = (store(&world), store(&world));
    let lease = |token| Lease { name: "streams/a".to_owned(), token, seats: 2, lasts_ms: 60_000 };
    let acquire = |store: &Redis<Memory>, token, lasts_ms| {
        block_on(store.acquire(&Lease { lasts_ms, ..lease(token) }, 0)) == Ok(true)
    };
    assert!(acquire(&first, 1, 50) && acquire(&second, 2, 60_000) && !acquire(&first, 3, 60_000));
    assert!(acquire(&first, 2, 60_000), "the holder prolongs it");
    run(&world, "BLPOP", &["nothing", "0.08"]);
    assert!(acquire(&second, 3, 60_000), "the first one's time is over");
    assert!(!acquire(&first, 1, 60_000));
    block_on(first.release(&lease(2))).expect("the server answers");
    assert!(acquire(&first, 1, 60_000));
    let left_ms = run(&world, "PTTL", &[&format!("{PREFIX}lease/streams/a")]);
    assert!(matches!(left_ms[..], [Value::Number(1..=60_000)]), "it ends by itself: {left_ms:?}");
}

#[test]
fn what_is_no_record_of_ours_is_an_error_and_no_panic() {
    let world = world();
    let store = store(&world);
    run(&world, "LPUSH", &[&names::prefixed("odd"), "1"]);
    assert!(matches!(block_on(store.get("odd")), Err(StoreError::Failed(_))));
    run(&world, "SET", &[&names::block(&address("192.0.2.1")), "99999999999999"]);
    let id = RequestId::choose(None, || 0);
    let subjects = [address("192.0.2.1")];
    let visit = Visit { subjects: &subjects, ..Visit::new(&id, 0) };
    assert!(block_on(store.visit(visit)).is_err());
}

#[test]
fn a_server_that_is_away_is_left_alone() {
    let store = store(&Rc::default());
    for _ in 0..10 {
        assert!(matches!(block_on(store.get("a")), Err(StoreError::Unreachable(_))));
    }
    let left = block_on(store.get("a")).expect_err("no server").to_string();
    assert!(left.contains("a moment ago"), "{left}");
}

/// A limit's burst and cost.
fn limits() -> impl Strategy<Value = Vec<(u32, u32)>> {
    prop::collection::vec((1..30_u32, 1..5_u32), 1..4)
}

#[test]
fn limits_count_as_in_rust() {
    let world = world();
    let (first, second) = (store(&world), store(&world));
    proptest!(ProptestConfig::with_cases(60), |(sizes in limits(), visits in 1..40_usize)| {
        run(&world, "FLUSHALL", &[]);
        let limits: Vec<Limit> = sizes.iter().enumerate().map(|(place, (burst, cost))| {
            Limit { meter: meter(place), gcra: Gcra::new(3_600_000, *burst), cost: *cost }
        }).collect();
        let mut states = vec![State(0); limits.len()];
        for turn in 0..visits {
            let found = visited(if turn % 2 == 0 { &first } else { &second }, &[], &limits, &[], 0);
            if found.passes() {
                states = found.decisions.iter().map(|decision| decision.new_state).collect();
            }
            for (limit, state) in limits.iter().zip(&states) {
                let stored = held(&world, &limit.meter.to_string());
                prop_assert_eq!(stored.unwrap_or("0".to_owned()), state.0.to_string());
            }
            // An hour is long: what passes is decided by the sizes alone.
            let fits = sizes.iter().all(|(burst, cost)| (turn as u32 + 1) * (*cost).min(*burst) <= *burst);
            prop_assert_eq!(found.passes(), fits, "visit {}", turn);
        }
    });
}

#[test]
fn limits_are_settled_as_in_rust() {
    let world = world();
    let store = store(&world);
    proptest!(ProptestConfig::with_cases(60), |(burst in 1..30_u32, cost in 0..40_u32, used in 0..40_u32)| {
        run(&world, "FLUSHALL", &[]);
        let limit = Limit { meter: meter(0), gcra: Gcra::new(3_600_000, burst), cost };
        let taken = visited(&store, &[], std::slice::from_ref(&limit), &[], 0).decisions.remove(0);
        block_on(store.settle(&limit, used, 0)).expect("the server answers");
        let state = held(&world, &limit.meter.to_string()).map_or(0, |state| state.parse().expect("a number"));
        let now_us = taken.new_state.0 - limit.gcra.interval_us() * u64::from(cost.min(burst));
        let expected = limit.gcra.settle(taken.new_state, cost, used, now_us / 1000).0;
        // The server's clock goes on between the two, which counts where nothing is left of what was taken, or nothing was.
        let is_right = match (expected == now_us / 1000 * 1000, cost) {
            (true, _) => state == 0,
            (false, 0) => (expected..expected + 5_000_000).contains(&state),
            (false, _) => state == expected,
        };
        prop_assert!(is_right, "{state} {expected}");
    });
}

#[test]
fn a_request_waits_once_for_a_server_that_does_not_answer() {
    let harness = Harness::with(&[("redis_url", "redis://127.0.0.1:6379")]);
    harness.world().mute_redis();
    harness.expect_model("sha256:1");
    harness.expect_copy(&written("sha256:1"));
    let asked = request(&key(), Method::POST, "/v1/copy", &[], &brief());
    assert_eq!(block_on(harness.answered(asked)).status, StatusCode::OK);
    assert!(harness.world().slept() <= ANSWER_TIME_MAX + TURN, "{:?}", harness.world().slept());
}

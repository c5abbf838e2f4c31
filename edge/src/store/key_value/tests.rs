//! The store over a key-value store in memory.

use futures::executor::block_on;

use super::*;
use crate::hop::NO_TENANT;
use crate::request_id::RequestId;
use crate::world::memory::Memory;

const NOW_MS: u64 = 1_700_000_000_000;
const KEY: [u8; 32] = [1; 32];

fn store(world: &Rc<Memory>) -> KeyValue<Memory> {
    KeyValue::new(Rc::clone(world))
}

fn address(text: &str) -> Subject {
    Subject::parse(&format!("address/{text}")).expect("an address")
}

fn visited(store: &KeyValue<Memory>, subjects: &[Subject], tags: &[String], now_ms: u64) -> Visited {
    let id = RequestId::choose(None, || 0);
    let visit =
        Visit { subjects, entry: Some(&KEY), tags, fresh_epoch: now_ms.into(), ..Visit::new(&id, now_ms) };
    block_on(store.visit(visit)).expect("the memory never fails")
}

fn keep(store: &KeyValue<Memory>, key: &[u8; 32], sealed: &[u8], lease: Option<&Lease>) -> bool {
    block_on(store.keep(NewEntry { key, sealed, keep_s: 60, lease })).expect("the memory never fails")
}

#[test]
fn entries_are_found_by_their_slot() {
    let world = Rc::default();
    let store = store(&world);
    assert_eq!(visited(&store, &[], &[], NOW_MS).entry, None);
    assert!(keep(&store, &KEY, b"one", None));
    assert_eq!(visited(&store, &[], &[], NOW_MS).entry.as_deref(), Some(&b"one"[..]));
    let mut neighbour = KEY;
    neighbour[31] = 2;
    assert!(keep(&store, &neighbour, b"two", None));
    assert_eq!(world.keys("copy/").len(), 1, "a neighbour of the first bits takes its place");
    block_on(store.drop_entry(&KEY)).expect("the memory never fails");
    assert_eq!(block_on(store.entry(&KEY)), Ok(None));
}

#[test]
fn a_tag_keeps_its_epoch_until_it_is_renewed() {
    let world = Rc::default();
    let (first, second) = (store(&world), store(&world));
    let tags = ["all".to_owned(), "tenant/acme".to_owned()];
    let begun = visited(&first, &[], &tags, NOW_MS).epochs;
    assert_eq!(visited(&second, &[], &tags, NOW_MS + 1).epochs, begun, "another instance sees the same");
    block_on(first.renew("all", 7)).expect("the memory never fails");
    let renewed = visited(&first, &[], &tags, NOW_MS + 2).epochs;
    assert_eq!(renewed, [7, begun[1]]);
    assert_eq!(visited(&second, &[], &tags, NOW_MS + LAG_MS_MAX).epochs, begun, "it lags");
    assert_eq!(visited(&second, &[], &tags, NOW_MS + LAG_MS_MAX + 1).epochs, renewed);
}

#[test]
fn an_epoch_that_was_lost_does_not_come_back() {
    let world: Rc<Memory> = Rc::default();
    let tags = ["all".to_owned()];
    let begun = visited(&store(&world), &[], &tags, NOW_MS).epochs;
    block_on(world.delete("epoch/all")).expect("the memory never fails");
    assert_ne!(visited(&store(&world), &[], &tags, NOW_MS + 1).epochs, begun);
}

#[test]
fn whoever_is_blocked_gets_nothing_until_the_block_ends() {
    let world = Rc::default();
    let (first, second) = (store(&world), store(&world));
    let (bad, good) = (address("192.0.2.1"), address("192.0.2.2"));
    assert!(keep(&first, &KEY, b"one", None));
    let block = Block { until_ms: NOW_MS + 60_000, level: 0 };
    block_on(first.block(bad, block, NOW_MS)).expect("the memory never fails");
    for store in [&first, &second] {
        let refused = visited(store, &[good, bad], &[], NOW_MS);
        assert_eq!((refused.blocked, &refused.entry), (Some((1, block)), &None));
        assert!(visited(store, &[good], &[], NOW_MS).passes());
    }
    assert!(visited(&self::store(&world), &[bad], &[], NOW_MS + 60_000).passes());
    assert_eq!(block_on(first.blocks(NOW_MS)), Ok(vec![(bad, block)]));
    assert_eq!(block_on(first.unblock(bad, NOW_MS)), Ok(true));
    assert_eq!(block_on(first.unblock(bad, NOW_MS)), Ok(false));
    assert!(visited(&first, &[bad], &[], NOW_MS).passes());
    assert!(!visited(&second, &[bad], &[], NOW_MS).passes(), "it lags");
    assert!(visited(&second, &[bad], &[], NOW_MS + LAG_MS_MAX).passes());
}

#[test]
fn strikes_lead_to_blocks_that_double_and_take_the_strikes_with_them() {
    let store = store(&Rc::default());
    let (subject, gcra) = (address("192.0.2.1"), Gcra::new(600_000, 2));
    let strike = |now_ms| block_on(store.strike(subject, gcra, now_ms)).expect("the memory never fails");
    let mut now_ms = NOW_MS;
    for level in 0..3 {
        assert!(strike(now_ms).is_none() && strike(now_ms).is_none());
        let block = strike(now_ms).expect("a block");
        assert_eq!((block.level, block.until_ms - now_ms), (level, 60_000 << level));
        assert!(!visited(&store, &[subject], &[], now_ms).passes());
        now_ms = block.until_ms;
    }
    assert!(strike(now_ms).is_none() && strike(now_ms).is_none());
    block_on(store.unblock(subject, now_ms)).expect("the memory never fails");
    assert!(strike(now_ms).is_none(), "who is let in again begins anew");
}

#[test]
fn the_list_of_blocks_is_bounded() {
    let store = store(&Rc::default());
    for index in 0..=BLOCKS_MAX as u64 {
        let subject = address(&format!("198.51.{}.{}", index / 256, index % 256));
        let block = Block { until_ms: NOW_MS + 1000 + index, level: 0 };
        block_on(store.block(subject, block, NOW_MS)).expect("the memory never fails");
    }
    let blocks = block_on(store.blocks(NOW_MS)).expect("the memory never fails");
    assert_eq!(blocks.len(), BLOCKS_MAX);
    assert!(blocks.iter().all(|(_, block)| block.until_ms > NOW_MS + 1000), "the one that ends first left");
}

#[test]
fn a_lease_is_one_holders_until_it_ends_or_is_given_back() {
    let store = store(&Rc::default());
    let [mine, other] =
        [1, 2].map(|token| Lease { name: "flight/a".to_owned(), token, seats: 1, lasts_ms: 1000 });
    let acquire = |lease: &Lease, now_ms| block_on(store.acquire(lease, now_ms)) == Ok(true);
    assert!(acquire(&mine, NOW_MS) && !acquire(&other, NOW_MS + 999));
    assert!(acquire(&mine, NOW_MS + 500), "the holder prolongs it");
    assert!(!acquire(&other, NOW_MS + 1499) && acquire(&other, NOW_MS + 1500));
    assert!(!keep(&store, &KEY, b"late", Some(&mine)));
    block_on(store.release(&mine)).expect("the memory never fails");
    assert!(!acquire(&mine, NOW_MS + 1500), "only the holder gives it back");
    assert!(keep(&store, &KEY, b"new", Some(&other)));
    assert!(acquire(&mine, NOW_MS + 1500), "with what was made under it, it is given back");
    block_on(store.release(&mine)).expect("the memory never fails");
    assert!(acquire(&other, NOW_MS + 1500));
    let led = block_on(store.lead(&mine, &KEY, NOW_MS + 1500));
    assert_eq!(led, Ok((false, Some(b"new".to_vec()))));
}

#[test]
fn a_lease_of_several_seats_is_held_by_so_many() {
    let store = store(&Rc::default());
    let lease = |token| Lease { name: "streams/a".to_owned(), token, seats: 2, lasts_ms: 1000 };
    let acquire = |token, now_ms| block_on(store.acquire(&lease(token), now_ms)) == Ok(true);
    assert!(acquire(1, NOW_MS) && acquire(2, NOW_MS + 500) && !acquire(3, NOW_MS + 999));
    assert!(acquire(3, NOW_MS + 1000), "the first one's time is over");
    assert!(!acquire(1, NOW_MS + 1000) && acquire(2, NOW_MS + 1000));
    block_on(store.release(&lease(3))).expect("the memory never fails");
    assert!(acquire(1, NOW_MS + 1000));
}

#[test]
fn tenants_are_counted_apart_up_to_so_many() {
    let store = store(&Rc::default());
    let mut one = Counts::default();
    one.count("requests", &[], 1);
    let name = |number: usize| format!("tenant-{number}");
    for number in 0..=tallies::TENANTS_MAX {
        block_on(store.count(&name(number), &one)).expect("the memory never fails");
    }
    let requests =
        |tenant: &str| block_on(store.counts(tenant)).expect("the memory never fails").total("requests");
    let (last, beyond) = (name(tallies::TENANTS_MAX - 1), name(tallies::TENANTS_MAX));
    assert_eq!((requests(&last), requests(&beyond)), (1, 0));
    assert_eq!(requests(NO_TENANT), tallies::TENANTS_MAX as u64 + 1);
}

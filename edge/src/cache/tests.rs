//! The cache over a store in memory.

use futures::executor::block_on;

use super::*;
use crate::world::memory::Memory;

const NOW_S: u64 = 1_700_000_000;
const TTL_S: u64 = 7200;

fn stored(world: &Memory, key: [u8; 32]) -> Entry {
    let (entry, sealed) = Entry::seal(key, NOW_S, TTL_S as u32, b"{}".to_vec()).expect("a small body");
    block_on(store(world, &key, &sealed)).expect("the memory never fails");
    entry
}

fn looked_up(world: &Memory, key: [u8; 32], now_s: u64) -> Found {
    block_on(look_up(world, &key, &Directives::default(), TTL_S, now_s)).expect("the memory never fails")
}

#[test]
fn what_was_stored_is_found_with_its_age_until_it_expires() {
    let world = Memory::default();
    let entry = stored(&world, [1; 32]);
    for (passed_s, expected) in
        [(0, Some((0, 7200))), (10, Some((10, 7190))), (7199, Some((7199, 1))), (7200, None)]
    {
        match (looked_up(&world, [1; 32], NOW_S + passed_s), expected) {
            (Found::Hit { entry: found, age_s, ttl_s }, Some(expected)) => {
                assert_eq!((found, (age_s, ttl_s)), (entry.clone(), expected));
            }
            (Found::Miss(Forward::Stale), None) => {}
            (found, expected) => panic!("{expected:?} after {passed_s} s, but {found:?}"),
        }
    }
    assert!(world.keys("copy/").is_empty(), "the expired entry is deleted");
}

#[test]
fn nothing_stored_is_a_miss() {
    assert!(matches!(looked_up(&Memory::default(), [1; 32], NOW_S), Found::Miss(Forward::UriMiss)));
}

#[test]
fn another_key_in_the_same_slot_is_a_miss_and_stays() {
    let world = Memory::default();
    stored(&world, [1; 32]);
    let mut neighbour = [1; 32];
    neighbour[31] = 2;
    assert!(matches!(looked_up(&world, neighbour, NOW_S), Found::Miss(Forward::UriMiss)));
    assert!(matches!(looked_up(&world, [1; 32], NOW_S), Found::Hit { .. }));
}

#[test]
fn a_corrupt_entry_is_a_miss_and_is_deleted() {
    let world = Memory::default();
    stored(&world, [1; 32]);
    let slot = world.keys("copy/").remove(0);
    let mut bytes = block_on(world.get(&slot)).expect("the memory never fails").expect("an entry");
    bytes[73] ^= 0x40;
    block_on(world.set(&slot, &bytes)).expect("the memory never fails");
    assert!(matches!(looked_up(&world, [1; 32], NOW_S), Found::Miss(Forward::UriMiss)));
    assert!(world.keys("copy/").is_empty());
}

#[test]
fn an_entry_from_the_future_is_corrupt_beyond_the_clocks_skew() {
    for (ahead_s, found) in [(CLOCK_SKEW_S_MAX, true), (CLOCK_SKEW_S_MAX + 1, false)] {
        let world = Memory::default();
        stored(&world, [1; 32]);
        assert_eq!(
            matches!(looked_up(&world, [1; 32], NOW_S - ahead_s), Found::Hit { .. }),
            found,
            "{ahead_s}"
        );
    }
}

#[test]
fn a_shortened_time_to_live_holds_for_old_entries() {
    let world = Memory::default();
    stored(&world, [1; 32]);
    let found = block_on(look_up(&world, &[1; 32], &Directives::default(), 60, NOW_S + 60));
    assert!(matches!(found, Ok(Found::Miss(Forward::Stale))));
}

#[test]
fn a_fresh_entry_that_the_request_does_not_accept_is_kept() {
    let world = Memory::default();
    stored(&world, [1; 32]);
    for directives in [
        Directives { no_cache: true, ..Directives::default() },
        Directives { max_age_s: Some(5), ..Directives::default() },
        Directives { min_fresh_s: Some(7195), ..Directives::default() },
    ] {
        let found = block_on(look_up(&world, &[1; 32], &directives, TTL_S, NOW_S + 6));
        assert!(matches!(found, Ok(Found::Miss(Forward::Request))), "{directives:?}");
    }
    assert!(matches!(looked_up(&world, [1; 32], NOW_S), Found::Hit { .. }));
}

#[test]
fn a_store_that_fails_says_so() {
    assert!(block_on(look_up(&Memory::failing(), &[1; 32], &Directives::default(), TTL_S, NOW_S)).is_err());
}

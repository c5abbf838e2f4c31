//! What was stored, judged.

use super::*;

const KEY: [u8; 32] = [1; 32];
const NOW_S: u64 = 1_700_000_000;
const TTL_S: u64 = 7200;

fn sealed() -> (Entry, Vec<u8>) {
    Entry::seal(KEY, NOW_S, TTL_S as u32, b"{}".to_vec()).expect("a small body")
}

fn judged(stored: &[u8], key: [u8; 32], now_s: u64) -> (Found, bool) {
    judge(Some(stored), &key, &Directives::default(), TTL_S, now_s)
}

#[test]
fn what_was_stored_is_found_with_its_age_until_it_expires() {
    let (entry, stored) = sealed();
    for (passed_s, expected) in
        [(0, Some((0, 7200))), (10, Some((10, 7190))), (7199, Some((7199, 1))), (7200, None)]
    {
        match (judged(&stored, KEY, NOW_S + passed_s), expected) {
            ((Found::Hit { entry: found, age_s, ttl_s }, false), Some(expected)) => {
                assert_eq!((found, (age_s, ttl_s)), (entry.clone(), expected));
            }
            ((Found::Miss(Forward::Stale), true), None) => {}
            (found, expected) => panic!("{expected:?} after {passed_s} s, but {found:?}"),
        }
    }
}

#[test]
fn nothing_stored_is_a_miss() {
    let nothing = judge(None, &KEY, &Directives::default(), TTL_S, NOW_S);
    assert!(matches!(nothing, (Found::Miss(Forward::UriMiss), false)));
}

#[test]
fn another_keys_entry_is_a_miss_and_stays() {
    let mut neighbour = KEY;
    neighbour[31] = 2;
    assert!(matches!(judged(&sealed().1, neighbour, NOW_S), (Found::Miss(Forward::UriMiss), false)));
}

#[test]
fn a_corrupt_entry_is_a_miss_and_is_spent() {
    let (_, mut stored) = sealed();
    stored[73] ^= 0x40;
    assert!(matches!(judged(&stored, KEY, NOW_S), (Found::Miss(Forward::UriMiss), true)));
}

#[test]
fn an_entry_from_the_future_is_corrupt_beyond_the_clocks_skew() {
    for (ahead_s, hit) in [(CLOCK_SKEW_S_MAX, true), (CLOCK_SKEW_S_MAX + 1, false)] {
        let (found, is_spent) = judged(&sealed().1, KEY, NOW_S - ahead_s);
        assert_eq!((matches!(found, Found::Hit { .. }), is_spent), (hit, !hit), "{ahead_s}");
    }
}

#[test]
fn a_shortened_time_to_live_holds_for_old_entries() {
    let (found, _) = judge(Some(&sealed().1), &KEY, &Directives::default(), 60, NOW_S + 60);
    assert!(matches!(found, Found::Miss(Forward::Stale)));
}

#[test]
fn a_fresh_entry_that_the_request_does_not_accept_is_kept() {
    for directives in [
        Directives { no_cache: true, ..Directives::default() },
        Directives { max_age_s: Some(5), ..Directives::default() },
        Directives { min_fresh_s: Some(7195), ..Directives::default() },
    ] {
        let found = judge(Some(&sealed().1), &KEY, &directives, TTL_S, NOW_S + 6);
        assert!(matches!(found, (Found::Miss(Forward::Request), false)), "{directives:?}");
    }
}

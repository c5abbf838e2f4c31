//! What stored bytes are good for.

use super::*;

const NOW_S: u64 = 1_700_000_000;
const KEY: [u8; 32] = [1; 32];
const EPOCHS: Epochs = Epochs { hard: 11, soft: 12 };
const LIFETIME: Lifetime = Lifetime { ttl_s: 100, while_revalidate_s: 10, if_error_s: 50 };

fn stamp() -> Stamp {
    Stamp { key: KEY, scope: "acme".to_owned(), created_s: NOW_S, ttl_s: 100, epochs: EPOCHS }
}

fn sealed(stamp: Stamp, kind: Kind) -> Vec<u8> {
    Entry::seal(stamp, kind, b"{}"[..].into()).expect("a small body").1
}

fn asked_after(passed_s: u64) -> Question<'static> {
    Question {
        key: &KEY,
        scope: "acme",
        epochs: EPOCHS,
        lifetime: LIFETIME,
        directives: Directives::default(),
        now_s: NOW_S + passed_s,
    }
}

/// The outcome in a word, and the seconds of freshness that are left.
fn outcome(found: &Found) -> (&'static str, Option<i64>) {
    let left = |held: &Held| Some(held.standing.left_s());
    match found {
        Found::Hit(held) => ("hit", left(held)),
        Found::Stale(held) => ("stale", left(held)),
        Found::Miss { reason: Forward::UriMiss, fallback: None } => ("absent", None),
        Found::Miss { reason: Forward::Request, fallback: None } => ("refused", None),
        Found::Miss { fallback, .. } => ("miss", fallback.as_ref().and_then(left)),
        Found::Useless(Forward::Stale) => ("expired", None),
        Found::Useless(_) => ("useless", None),
    }
}

#[test]
fn an_answer_is_fresh_then_stale_while_revalidated_then_kept_for_errors_then_useless() {
    let bytes = sealed(stamp(), Kind::Copy);
    for (passed_s, expected) in [
        (0, ("hit", Some(100))),
        (99, ("hit", Some(1))),
        (100, ("stale", Some(0))),
        (109, ("stale", Some(-9))),
        (110, ("miss", Some(-10))),
        (149, ("miss", Some(-49))),
        (150, ("expired", None)),
    ] {
        assert_eq!(outcome(&asked_after(passed_s).judge(Some(&bytes))), expected, "after {passed_s} s");
    }
}

#[test]
fn a_refusal_is_never_stale() {
    let bytes = sealed(stamp(), Kind::Refusal);
    let max_stale = Directives { max_stale_s: Some(u64::MAX), ..Directives::default() };
    assert_eq!(outcome(&asked_after(99).judge(Some(&bytes))), ("hit", Some(1)));
    assert_eq!(outcome(&asked_after(100).judge(Some(&bytes))), ("expired", None));
    let question = Question { directives: max_stale, ..asked_after(100) };
    assert_eq!(outcome(&question.judge(Some(&bytes))), ("expired", None));
}

#[test]
fn nothing_another_key_another_scope_or_another_epoch_is_a_miss_that_leaves_the_entry() {
    let mut neighbour = KEY;
    neighbour[31] = 2;
    let (mut key, mut scope, mut epochs) = (stamp(), stamp(), stamp());
    key.key = neighbour;
    scope.scope = "other".to_owned();
    epochs.epochs.hard = 0;
    for stamp in [key, scope, epochs] {
        let bytes = sealed(stamp, Kind::Copy);
        assert_eq!(outcome(&asked_after(0).judge(Some(&bytes))), ("absent", None));
    }
    assert_eq!(outcome(&asked_after(0).judge(None)), ("absent", None));
}

#[test]
fn what_was_purged_softly_is_stale_at_once() {
    let soft = Stamp { epochs: Epochs { soft: 0, ..EPOCHS }, ..stamp() };
    let bytes = sealed(soft.clone(), Kind::Copy);
    assert_eq!(outcome(&asked_after(5).judge(Some(&bytes))), ("stale", Some(0)));
    assert_eq!(outcome(&asked_after(109).judge(Some(&bytes))), ("stale", Some(-9)));
    assert_eq!(outcome(&asked_after(120).judge(Some(&bytes))), ("miss", Some(-20)));
    assert_eq!(outcome(&asked_after(5).judge(Some(&sealed(soft, Kind::Refusal)))), ("expired", None));
}

#[test]
fn damage_is_useless() {
    let mut bytes = sealed(stamp(), Kind::Copy);
    bytes[105] ^= 0x40;
    assert_eq!(outcome(&asked_after(0).judge(Some(&bytes))), ("useless", None));
}

#[test]
fn an_entry_from_the_future_is_useless_beyond_the_clocks_skew() {
    let bytes = sealed(stamp(), Kind::Copy);
    for (ahead_s, expected) in [(CLOCK_SKEW_S_MAX, "hit"), (CLOCK_SKEW_S_MAX + 1, "useless")] {
        let question = Question { now_s: NOW_S - ahead_s, ..asked_after(0) };
        assert_eq!(outcome(&question.judge(Some(&bytes))).0, expected, "{ahead_s}");
    }
}

#[test]
fn a_shortened_time_to_live_holds_for_old_entries() {
    let bytes = sealed(stamp(), Kind::Copy);
    let question = Question { lifetime: Lifetime { ttl_s: 60, ..LIFETIME }, ..asked_after(60) };
    assert_eq!(outcome(&question.judge(Some(&bytes))), ("stale", Some(0)));
}

#[test]
fn the_request_decides_what_it_accepts() {
    let bytes = sealed(stamp(), Kind::Copy);
    let none = Directives::default();
    for (directives, passed_s, expected) in [
        (Directives { no_cache: true, ..none }, 6, "refused"),
        (Directives { max_age_s: Some(5), ..none }, 6, "refused"),
        (Directives { max_age_s: Some(6), ..none }, 6, "hit"),
        (Directives { min_fresh_s: Some(95), ..none }, 6, "refused"),
        (Directives { max_stale_s: Some(5), ..none }, 105, "hit"),
        (Directives { max_stale_s: Some(4), ..none }, 105, "miss"),
        (Directives { max_age_s: Some(500), ..none }, 105, "miss"),
    ] {
        let found = Question { directives, ..asked_after(passed_s) }.judge(Some(&bytes));
        assert_eq!(outcome(&found).0, expected, "{directives:?}");
        assert!(!matches!(found, Found::Miss { fallback: Some(_), .. }), "nor is it given in an error");
    }
}

//! Limits, within an instance and across several.

use futures::executor::block_on;
use futures::future::join_all;

use adlib_shared::key::KeyId;
use adlib_shared::rate::Gcra;

use super::*;
use crate::limit::PERIOD_MS;
use crate::world::memory::Memory;

const NOW_MS: u64 = 1_700_000_000_000;

fn meter(digit: char) -> Meter {
    Meter::Key(KeyId::parse(&digit.to_string().repeat(16)).expect("16 digits"))
}

fn limit(gcra: Gcra) -> Limit {
    Limit { meter: meter('a'), gcra, cost: 1 }
}

/// Judges a request by some limits and tells the store at once.
async fn take_all(limiter: &Limiter, world: &Memory, limits: &[Limit], now_ms: u64) -> Vec<Decision> {
    let taken = limiter.take(world, limits, now_ms).await.expect("a store that answers");
    for untold in taken.untold {
        let _ = untold.tell(world).await;
    }
    taken.decisions
}

async fn take(limiter: &Limiter, world: &Memory, gcra: Gcra, now_ms: u64) -> Decision {
    take_all(limiter, world, &[limit(gcra)], now_ms).await[0]
}

fn allowed(limiter: &Limiter, world: &Memory, gcra: Gcra, now_ms: u64) -> bool {
    block_on(take(limiter, world, gcra, now_ms)).allowed
}

#[test]
fn as_many_requests_pass_as_the_burst_allows_and_not_one_more() {
    for burst in [1, 2, 100, 1000] {
        let (limiter, world, gcra) = (Limiter::default(), Memory::default(), Gcra::new(PERIOD_MS, burst));
        let passed = (0..burst + 5).filter(|_| allowed(&limiter, &world, gcra, NOW_MS)).count();
        assert_eq!(passed as u32, burst);
    }
}

#[test]
fn the_next_request_passes_when_its_share_of_the_period_is_over() {
    let (limiter, world, gcra) = (Limiter::default(), Memory::default(), Gcra::new(PERIOD_MS, 2));
    assert!(allowed(&limiter, &world, gcra, NOW_MS) && allowed(&limiter, &world, gcra, NOW_MS));
    let refused = block_on(take(&limiter, &world, gcra, NOW_MS));
    assert!(!refused.allowed && refused.retry_after_ms == PERIOD_MS / 2);
    assert!(!allowed(&limiter, &world, gcra, NOW_MS + PERIOD_MS / 2 - 1));
    assert!(allowed(&limiter, &world, gcra, NOW_MS + PERIOD_MS / 2));
}

#[test]
fn instances_that_take_turns_share_one_limit() {
    let (world, gcra) = (Memory::default(), Gcra::new(PERIOD_MS, 100));
    let instances = [Limiter::default(), Limiter::default(), Limiter::default()];
    let passed = (0..150).filter(|turn| allowed(&instances[turn % 3], &world, gcra, NOW_MS)).count();
    assert_eq!(passed, 100);
}

#[test]
fn a_new_instance_knows_what_the_last_one_let_through() {
    let (world, gcra) = (Memory::default(), Gcra::new(PERIOD_MS, 10));
    let first = Limiter::default();
    assert!((0..10).all(|_| allowed(&first, &world, gcra, NOW_MS)));
    assert!(!allowed(&Limiter::default(), &world, gcra, NOW_MS));
}

#[test]
fn requests_at_the_same_moment_in_one_instance_are_counted_one_by_one() {
    let (limiter, world, gcra) = (Limiter::default(), Memory::slow(), Gcra::new(PERIOD_MS, 10));
    let all = (0..25).map(|_| take(&limiter, &world, gcra, NOW_MS));
    let passed = block_on(join_all(all)).iter().filter(|decision| decision.allowed).count();
    assert_eq!(passed, 10);
}

#[test]
fn requests_at_the_same_moment_get_what_the_store_has_left() {
    let (world, gcra) = (Memory::slow(), Gcra::new(PERIOD_MS, 10));
    let first = Limiter::default();
    assert!((0..8).all(|_| allowed(&first, &world, gcra, NOW_MS)));
    let second = Limiter::default();
    let all = (0..5).map(|_| take(&second, &world, gcra, NOW_MS));
    let passed = block_on(join_all(all)).iter().filter(|decision| decision.allowed).count();
    assert_eq!(passed, 2);
    assert!(!allowed(&Limiter::default(), &world, gcra, NOW_MS));
}

#[test]
fn a_clock_that_goes_back_does_not_lock_out() {
    let (world, gcra) = (Memory::default(), Gcra::new(PERIOD_MS, 2));
    let limiter = Limiter::default();
    let ahead_ms = NOW_MS + 3 * PERIOD_MS;
    assert!(allowed(&limiter, &world, gcra, ahead_ms) && allowed(&limiter, &world, gcra, ahead_ms));
    assert!(!allowed(&Limiter::default(), &world, gcra, ahead_ms));
    assert!(allowed(&limiter, &world, gcra, NOW_MS), "in the instance that counted");
    assert!(allowed(&Limiter::default(), &world, gcra, NOW_MS), "in another");
    assert!(!allowed(&Limiter::default(), &world, gcra, NOW_MS), "and the limit holds again");
}

#[test]
fn clocks_that_differ_a_little_do_not_open_the_limit() {
    let (world, gcra) = (Memory::default(), Gcra::new(PERIOD_MS, 2));
    let ahead = Limiter::default();
    assert!(allowed(&ahead, &world, gcra, NOW_MS + 50) && allowed(&ahead, &world, gcra, NOW_MS + 50));
    assert!(!allowed(&Limiter::default(), &world, gcra, NOW_MS));
}

#[test]
fn a_high_limit_visits_the_store_only_now_and_then() {
    let (limiter, world, gcra) = (Limiter::default(), Memory::default(), Gcra::new(PERIOD_MS, 128_000));
    for _ in 0..2000 {
        assert!(allowed(&limiter, &world, gcra, NOW_MS));
    }
    assert_eq!(world.writes(), 2, "the first request, and the one after a thousand uncounted ones");
    assert!(allowed(&limiter, &world, gcra, NOW_MS + LAG_MS_MAX));
    assert_eq!(world.writes(), 3);
}

#[test]
fn a_store_that_fails_counts_nothing() {
    let (limiter, world, gcra) = (Limiter::default(), Memory::failing(), Gcra::new(PERIOD_MS, 3));
    assert!((0..5).all(|_| block_on(limiter.take(&world, &[limit(gcra)], NOW_MS)).is_err()));
    world.fail(false);
    assert_eq!((0..5).filter(|_| allowed(&limiter, &world, gcra, NOW_MS)).count(), 3);
}

#[test]
fn a_request_that_one_limit_refuses_counts_in_none() {
    let (limiter, world) = (Limiter::default(), Memory::default());
    let of = |digit, burst, cost| Limit { meter: meter(digit), gcra: Gcra::new(PERIOD_MS, burst), cost };
    let both = [of('a', 10, 1), of('b', 2, 1)];
    let passed = |limits: &[Limit]| {
        block_on(take_all(&limiter, &world, limits, NOW_MS)).iter().all(|decision| decision.allowed)
    };
    assert_eq!((0..5).filter(|_| passed(&both)).count(), 2);
    assert_eq!((0..20).filter(|_| passed(&both[..1])).count(), 8, "two of ten were used, three refused");
    // Another instance knows of the wide limit only what the store says; it refuses by what the store adds.
    let other = Limiter::default();
    let refused = block_on(take_all(&other, &world, &[of('c', 5, 1), of('b', 2, 1)], NOW_MS));
    assert_eq!(refused.iter().map(|decision| decision.allowed).collect::<Vec<_>>(), [true, false]);
    let fresh = block_on(take_all(&other, &world, &[of('c', 5, 1)], NOW_MS));
    assert_eq!(fresh[0].remaining, 4, "the refused request left nothing behind");
}

#[test]
fn a_request_takes_its_cost() {
    let (limiter, world, gcra) = (Limiter::default(), Memory::default(), Gcra::new(PERIOD_MS, 10));
    let costly = [Limit { cost: 4, ..limit(gcra) }];
    let left = |_| block_on(take_all(&limiter, &world, &costly, NOW_MS))[0];
    let decisions: Vec<_> = (0..3).map(left).map(|decision| (decision.allowed, decision.remaining)).collect();
    assert_eq!(decisions, [(true, 6), (true, 2), (false, 2)]);
}

#[test]
fn what_a_request_took_is_corrected_for_every_instance() {
    for (used, remaining) in [(0, 10), (3, 7), (4, 6), (9, 1), (12, 0)] {
        let (limiter, world) = (Limiter::default(), Memory::default());
        let limit = Limit { cost: 4, ..limit(Gcra::new(PERIOD_MS, 10)) };
        block_on(take_all(&limiter, &world, std::slice::from_ref(&limit), NOW_MS));
        block_on(limiter.settle(&world, &limit, used, NOW_MS)).expect("a store that answers");
        for limiter in [limiter, Limiter::default()] {
            let nothing = [Limit { cost: 0, ..limit.clone() }];
            let left = block_on(take_all(&limiter, &world, &nothing, NOW_MS))[0];
            assert_eq!((left.allowed, left.remaining), (true, remaining), "{used}");
        }
    }
}

#[test]
fn who_takes_nothing_writes_nothing() {
    let (limiter, world) = (Limiter::default(), Memory::default());
    let nothing = [Limit { cost: 0, ..limit(Gcra::new(PERIOD_MS, 10)) }];
    assert_eq!(block_on(take_all(&limiter, &world, &nothing, NOW_MS))[0].remaining, 10);
    assert_eq!(world.writes(), 0);
}

#[test]
fn a_stored_state_that_is_not_a_number_counts_as_none() {
    let (limiter, world, gcra) = (Limiter::default(), Memory::default(), Gcra::new(PERIOD_MS, 1));
    block_on(world.set(&name(&meter('a')), b"junk")).expect("the memory never fails");
    assert!(allowed(&limiter, &world, gcra, NOW_MS));
}

#[test]
fn what_could_not_be_written_is_written_with_the_next_request() {
    let (limiter, world, gcra) = (Limiter::default(), Memory::default(), Gcra::new(PERIOD_MS, 10));
    let mut taken = block_on(limiter.take(&world, &[limit(gcra)], NOW_MS)).expect("a store that answers");
    world.fail(true);
    assert!(block_on(taken.untold.remove(0).tell(&world)).is_err());
    world.fail(false);
    assert!(allowed(&limiter, &world, gcra, NOW_MS));
    assert_eq!((0..10).filter(|_| allowed(&Limiter::default(), &world, gcra, NOW_MS)).count(), 8);
}

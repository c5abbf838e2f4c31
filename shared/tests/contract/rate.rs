//! The rate limit against a simulated clock.

use adlib_shared::rate::{Decision, Gcra, State};
use proptest::prelude::*;

const START: u64 = 1_700_000_000_000;

/// Judges a request and remembers the state.
fn ask(limit: Gcra, state: &mut State, now_ms: u64) -> Decision {
    let decision = limit.check(*state, now_ms);
    *state = decision.new_state;
    decision
}

#[test]
fn a_hundred_a_minute_pass_at_once_and_the_next_after_its_interval() {
    let limit = Gcra::new(60_000, 100);
    let mut state = State::default();
    for n in 0..100 {
        let decision = ask(limit, &mut state, START);
        assert!(decision.allowed);
        assert_eq!(
            (decision.remaining, decision.reset_ms, decision.retry_after_ms),
            (99 - n, 600 * u64::from(n + 1), 0)
        );
    }
    let refused = ask(limit, &mut state, START);
    assert_eq!((refused.allowed, refused.remaining, refused.retry_after_ms), (false, 0, 600));
    assert_eq!(refused.reset_ms, 60_000);
    assert!(!ask(limit, &mut state, START + 599).allowed);
    assert!(ask(limit, &mut state, START + 600).allowed);
    assert!(!ask(limit, &mut state, START + 601).allowed);
    assert_eq!(ask(limit, &mut state, START + 120_000).remaining, 99);
}

#[test]
fn a_refused_request_costs_nothing() {
    let limit = Gcra::new(1000, 1);
    let mut state = State::default();
    assert!(ask(limit, &mut state, START).allowed);
    for late in 1..1000 {
        let decision = ask(limit, &mut state, START + late);
        assert_eq!((decision.allowed, decision.retry_after_ms), (false, 1000 - late));
    }
    assert!(ask(limit, &mut state, START + 1000).allowed);
}

#[test]
fn a_clock_that_goes_back_locks_no_one_out_for_longer_than_the_period() {
    let limit = Gcra::new(60_000, 100);
    let mut state = State::default();
    ask(limit, &mut state, START + 86_400_000);
    let refused = ask(limit, &mut state, START);
    assert!(!refused.allowed);
    assert_eq!(refused.retry_after_ms, 600);
    assert!(ask(limit, &mut state, START + 600).allowed);
}

proptest! {
    #[test]
    fn no_window_lets_more_pass_than_promised(
        period in 1..100_000_u64, burst in 1..200_u32, gaps in prop::collection::vec(0..2_000_u64, 1..400),
    ) {
        let limit = Gcra::new(period, burst);
        let mut state = State::default();
        let mut now = START;
        let mut passed = Vec::new();
        for gap in gaps {
            now += gap;
            let decision = ask(limit, &mut state, now);
            if decision.allowed {
                passed.push(now);
            }
            prop_assert!(decision.remaining < burst);
            prop_assert!(decision.reset_ms <= period + 1);
            prop_assert!(decision.allowed || decision.retry_after_ms >= 1);
        }
        // In any stretch of time at most the burst and what it refills pass.
        for (at, first) in passed.iter().enumerate() {
            for (count, last) in passed[at..].iter().enumerate() {
                let refilled = (last - first) as f64 * f64::from(burst) / period as f64;
                prop_assert!(count as f64 + 1.0 <= f64::from(burst) + refilled + 1e-6);
            }
        }
    }

    #[test]
    fn waiting_as_told_is_enough(period in 1..100_000_u64, burst in 1..50_u32) {
        let limit = Gcra::new(period, burst);
        let mut state = State::default();
        for _ in 0..burst {
            prop_assert!(ask(limit, &mut state, START).allowed);
        }
        let refused = ask(limit, &mut state, START);
        prop_assert!(!refused.allowed);
        prop_assert!(ask(limit, &mut state, START + refused.retry_after_ms).allowed);
    }

    #[test]
    fn what_is_settled_counts_as_if_it_had_been_known(
        burst in 1..1000_u32, before in 0..500_u32, reserved in 0..1200_u32, used in 0..1200_u32,
    ) {
        let limit = Gcra::new(60_000, burst);
        let state = limit.take(State::default(), before, START).new_state;
        let taken = limit.take(state, reserved, START);
        if taken.allowed {
            let settled = limit.settle(taken.new_state, reserved, used, START);
            let known = limit.take(state, used, START);
            let full = State((START * 1000) + limit.window_us());
            prop_assert_eq!(settled, if known.allowed { known.new_state } else { full });
        }
    }

    #[test]
    fn what_is_settled_late_is_worth_no_more_than_an_unused_limit(burst in 1..1000_u32, late_ms in 0..200_000_u64) {
        let limit = Gcra::new(60_000, burst);
        let taken = limit.take(State::default(), burst, START);
        let now = START + late_ms;
        let settled = limit.settle(taken.new_state, burst, 0, now);
        prop_assert_eq!(limit.take(settled, 0, now).remaining, burst);
    }

    #[test]
    fn any_numbers_are_answered(period: u64, burst: u32, state: u64, now: u64, cost: u32) {
        let limit = Gcra::new(period, burst);
        let decision = limit.check(State(state), now);
        prop_assert!(decision.remaining < burst.max(1));
        limit.settle(State(state), cost, burst, now);
    }
}

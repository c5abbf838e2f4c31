//! Several engines as one.

use super::restart::{AT_ONCE, Failing};
use super::*;
use crate::engine::fleet::{Fleet, FleetThreads};

/// Two engines, and the fleet of them.
fn two(limits: EngineLimits) -> ([Failing; 2], Fleet) {
    let engines = [0, 1].map(|replica| Failing::start(replica, limits, AT_ONCE));
    let fleet = Fleet::new(engines.iter().map(|engine| engine.handle.clone()).collect());
    (engines, fleet)
}

fn loads(fleet: &Fleet) -> Vec<u64> {
    fleet.replicas().iter().map(|replica| replica.stats().load.get()).collect()
}

fn busy(fleet: &Fleet) -> Generation {
    fleet.submit(endless(Duration::from_mins(1))).expect("room")
}

/// Writes to the end; returns the prompt's cached tokens and what was chosen.
fn write(fleet: &Fleet, seed: u32) -> (usize, Vec<u32>) {
    let (guide, chosen) = recorder(u64::from(seed), 2);
    let told = events(fleet.submit(request(prompt(seed, 53), vec![guide])).expect("room"));
    let Some(Event::Admitted { cached_tokens, .. }) = told.first() else { panic!("{told:?}") };
    (*cached_tokens, chosen.recv().expect("the variant finishes"))
}

#[test]
fn a_request_goes_where_least_is_to_do() {
    let (_engines, fleet) = two(LIMITS);
    let first = busy(&fleet);
    assert_eq!(loads(&fleet), [8, 0]);
    let _second = busy(&fleet);
    assert_eq!(loads(&fleet), [8, 8]);
    drop(first);
    assert_eq!(loads(&fleet), [0, 8]);
    let _third = busy(&fleet);
    assert_eq!(loads(&fleet), [8, 8]);
}

#[test]
fn among_equals_a_request_goes_where_its_prompt_is_known() {
    let (_engines, fleet) = two(LIMITS);
    let first = busy(&fleet);
    assert_eq!(write(&fleet, 2).0, 0, "the second engine has not seen it");
    drop(first);
    assert_eq!(write(&fleet, 3).0, 0, "the first engine takes what nobody knows");
    for seed in [2, 3, 2] {
        assert_eq!(write(&fleet, seed).0, 48);
    }
    let requests = fleet.replicas().iter().map(|replica| replica.stats().requests.get());
    assert_eq!(requests.collect::<Vec<_>>(), [3, 3]);
}

#[test]
fn every_engine_keeps_a_seed_s_promise() {
    let (_engines, fleet) = two(LIMITS);
    let alone = alone(7, prompt(7, 53), 2);
    assert_eq!(write(&fleet, 7).1, alone);
    let first = busy(&fleet);
    assert_eq!(write(&fleet, 7), (0, alone), "by the second engine");
    drop(first);
}

#[test]
fn only_when_every_queue_is_full_a_request_is_refused() {
    let (_engines, fleet) = two(EngineLimits { queue_max: 2, ..LIMITS });
    let _running = [busy(&fleet), busy(&fleet)];
    eventually("both run", || fleet.replicas().iter().all(|replica| replica.stats().waiting.get() == 0));
    let mut waiting: Vec<_> = (0..4).map(|_| busy(&fleet)).collect();
    let refused = fleet.submit(endless(Duration::from_mins(1))).expect_err("both queues are full");
    assert_eq!(refused, SubmitError::Overloaded(4));
    waiting.pop();
    eventually("there is room again", || {
        fleet.replicas().iter().any(|replica| replica.stats().waiting.get() < 2)
    });
    busy(&fleet);
}

#[test]
fn while_one_engine_is_started_anew_the_others_serve() {
    let (engines, fleet) = two(LIMITS);
    let running = busy(&fleet);
    engines[0].faults.lose_device();
    assert_eq!(events(running).pop(), Some(Event::Aborted(AbortReason::DeviceLost)));
    assert_eq!(fleet.ready(), Ok(()));
    let alone = alone(7, prompt(7, 53), 2);
    for _ in 0..2 {
        assert_eq!(write(&fleet, 7).1, alone);
    }
    assert_eq!(fleet.replicas()[1].stats().requests.get(), 2);

    let running = busy(&fleet);
    engines[1].faults.lose_device();
    assert_eq!(events(running).pop(), Some(Event::Aborted(AbortReason::DeviceLost)));
    let reasons = [0, 1].map(|n| format!("engine {n} is being started anew: the device fell off the bus"));
    assert_eq!(fleet.ready(), Err(reasons.to_vec()));
    let refused = fleet.submit(endless(Duration::from_mins(1))).expect_err("none serves");
    assert_eq!(refused, SubmitError::NotRunning);

    engines[0].reloads.send(Ok(())).expect("it waits");
    engines[0].wait_until_serving();
    assert_eq!(fleet.ready(), Ok(()));
    assert_eq!(write(&fleet, 7).1, alone);
}

#[test]
fn a_fleet_takes_what_its_smallest_engine_can() {
    let small = EngineLimits { context_max: 64, blocks: 9, ..LIMITS };
    let fleet = Fleet::new([LIMITS, small].map(|limits| start(limits).0).to_vec());
    assert_eq!(fleet.limits(), small);
    let long = request(prompt(1, 17), vec![recorder(1, 1).0]);
    let refused = fleet.submit(long).expect_err("too long for one of them");
    assert_eq!(refused, SubmitError::TooLong { needed: 65, limit: 64 });
    assert!(fleet.submit(request(prompt(1, 16), vec![recorder(1, 1).0])).is_ok());
}

#[test]
fn a_fleet_has_failed_when_its_last_engine_has() {
    let (engines, fleet) = two(LIMITS);
    let running = [busy(&fleet), busy(&fleet)];
    let (threads, held): (Vec<_>, Vec<_>) = engines
        .into_iter()
        .map(|engine| {
            for _ in 0..2 {
                engine.reloads.send(Err(String::from("no device"))).expect("it listens");
            }
            engine.faults.lose_device();
            (engine.thread, (engine.faults, engine.reloads))
        })
        .unzip();
    let failed = FleetThreads(threads).wait().expect_err("both have failed");
    assert_eq!(failed, EngineLost { replica: 0, reason: String::from("no device") });
    let reasons = [0, 1].map(|n| format!("engine {n} has stopped: no device"));
    assert_eq!(fleet.ready(), Err(reasons.to_vec()));
    drop((running, held));
}

/// A fault of the program.
struct Faulty;

impl Guide for Faulty {
    fn branches(&self) -> usize {
        1
    }
    fn sampling(&self, _branch: usize) -> Sampling<'_> {
        Sampling { params: SampleParams::default(), mask: None }
    }
    fn advance(&mut self, _branch: usize, _sampled: Sampled) -> Progress {
        panic!("a fault that a test has put here")
    }
    fn select(&mut self) -> Selection {
        Selection::Finish
    }
}

#[test]
fn an_engine_that_a_fault_ends_is_not_waited_for() {
    let (handle, thread) = start(LIMITS);
    let fleet = Fleet::new(vec![handle]);
    let told = events(fleet.submit(request(prompt(1, 20), vec![Box::new(Faulty)])).expect("room"));
    assert!(!matches!(told.last(), Some(Event::Complete { .. } | Event::Aborted(_))), "{told:?}");
    let failed = FleetThreads(vec![thread]).wait().expect_err("it has ended by a fault");
    assert_eq!(failed, EngineLost { replica: 0, reason: String::from("a fault of the program") });
    assert_eq!(fleet.ready(), Err(vec![String::from("engine 0 has stopped: the engine's thread has ended")]));
}

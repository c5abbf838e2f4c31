//! What follows a failure of the device.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::backend::BackendError;
use crate::backend::cpu::Faults;

/// Restarts without waiting.
pub(super) const AT_ONCE: Restarts =
    Restarts { in_row_max: 2, pause: Duration::from_millis(1), steady: Duration::from_mins(1) };

/// An engine whose device fails when it is told to, and is opened anew when it is told to.
pub(super) struct Failing {
    pub(super) handle: Handle,
    pub(super) thread: EngineThread,
    pub(super) faults: Faults,
    /// What the coming reloads come to.
    pub(super) reloads: Sender<Result<(), String>>,
}

impl Failing {
    pub(super) fn start(replica: usize, limits: EngineLimits, restarts: Restarts) -> Self {
        let faults = Faults::default();
        let (reloads, told): (_, Receiver<Result<(), String>>) = channel();
        let first = model(Cpu::failing(faults.clone()), limits);
        let again = faults.clone();
        let reload = move || {
            told.recv().unwrap_or(Ok(()))?;
            // The test's, this closure's, and no device's any more.
            assert_eq!(again.holders(), 2, "everything on the device is dropped before it is opened anew");
            Ok::<_, String>(model(Cpu::failing(again.clone()), limits))
        };
        let (handle, thread) = Handle::start(replica, first, limits, restarts, reload).expect("a thread");
        Self { handle, thread, faults, reloads }
    }

    /// Fails the device under a request; returns what the request was told last.
    fn lose_device(&self) -> Option<Event> {
        let running = self.handle.submit(endless(Duration::from_mins(1))).expect("it serves");
        self.faults.lose_device();
        events(running).pop()
    }

    pub(super) fn wait_until_serving(&self) {
        eventually("it serves", || self.handle.is_serving());
    }
}

const LOST: Option<Event> = Some(Event::Aborted(AbortReason::DeviceLost));

#[test]
fn a_lost_device_ends_what_runs_and_what_waits_and_the_next_request_is_answered_as_ever() {
    let engine = Failing::start(0, LIMITS, AT_ONCE);
    let running = engine.handle.submit(endless(Duration::from_mins(1))).expect("room");
    eventually("it runs", || engine.handle.stats().running.get() == 8);
    let waiting = engine.handle.submit(endless(Duration::from_mins(1))).expect("room in the queue");
    engine.faults.lose_device();
    assert_eq!([events(running).pop(), events(waiting).pop()], [LOST, LOST]);
    let reason = String::from("the device fell off the bus");
    assert_eq!(engine.handle.condition(), Condition::Restarting { reason });
    let refused = engine.handle.submit(endless(Duration::from_mins(1))).expect_err("it does not serve");
    assert_eq!(refused, SubmitError::NotRunning);
    let stats = engine.handle.stats();
    assert_eq!([stats.load.get(), stats.waiting.get()], [0, 0]);
    eventually("nothing runs", || stats.running.get() == 0);

    engine.reloads.send(Ok(())).expect("it waits");
    engine.wait_until_serving();
    assert_eq!([stats.device_errors.get(), stats.restarts.get()], [1, 1]);
    let (guide, chosen) = recorder(3, 2);
    events(engine.handle.submit(request(prompt(3, 53), vec![guide])).expect("room"));
    assert_eq!(chosen.recv().expect("the variant finishes"), alone(3, prompt(3, 53), 2));
}

#[test]
fn as_many_failures_in_a_row_are_survived_as_said_and_not_one_more() {
    let engine = Failing::start(4, LIMITS, AT_ONCE);
    for _ in 0..2 {
        assert_eq!(engine.lose_device(), LOST);
        engine.reloads.send(Ok(())).expect("it waits");
        engine.wait_until_serving();
    }
    assert_eq!(engine.lose_device(), LOST);
    let reason = String::from("the device fell off the bus");
    let lost = EngineLost { replica: 4, reason: reason.clone() };
    assert_eq!(engine.thread.join().expect("it does not panic"), Err(lost));
    assert_eq!(engine.handle.condition(), Condition::Stopped { reason });
    let refused = engine.handle.submit(endless(Duration::from_mins(1))).expect_err("it has stopped");
    assert_eq!(refused, SubmitError::NotRunning);
}

#[test]
fn a_device_that_cannot_be_opened_anew_is_a_failure_more() {
    let engine = Failing::start(0, LIMITS, AT_ONCE);
    for reason in ["no device", "still no device"] {
        engine.reloads.send(Err(reason.to_owned())).expect("it listens");
    }
    assert_eq!(engine.lose_device(), LOST);
    let lost = EngineLost { replica: 0, reason: String::from("still no device") };
    assert_eq!(engine.thread.join().expect("it does not panic"), Err(lost));
    assert_eq!(engine.handle.stats().device_errors.get(), 1);
}

#[test]
fn an_engine_that_has_served_well_may_fail_again() {
    let engine = Failing::start(0, LIMITS, Restarts { steady: Duration::ZERO, ..AT_ONCE });
    for _ in 0..5 {
        assert_eq!(engine.lose_device(), LOST);
        engine.reloads.send(Ok(())).expect("it waits");
        engine.wait_until_serving();
    }
    assert_eq!(engine.handle.stats().restarts.get(), 5);
}

#[test]
fn a_step_without_memory_or_with_a_refused_batch_ends_its_requests_alone() {
    let engine = Failing::start(0, LIMITS, AT_ONCE);
    let reason = String::from("no memory");
    let refused = BackendError::Multiple { what: "a width", value: 3, multiple: 2 };
    let cases = [
        (BackendError::DeviceMemory { reason }, AbortReason::OutOfMemory),
        (BackendError::Memory { what: "rows", bytes: 1 << 40 }, AbortReason::OutOfMemory),
        (refused, AbortReason::StepFailed),
    ];
    for (fault, reason) in cases {
        let running = engine.handle.submit(endless(Duration::from_mins(1))).expect("it serves");
        engine.faults.push(fault);
        assert_eq!(events(running).pop(), Some(Event::Aborted(reason)));
    }
    let (guide, chosen) = recorder(3, 2);
    events(engine.handle.submit(request(prompt(3, 53), vec![guide])).expect("room"));
    assert_eq!(chosen.recv().expect("the variant finishes"), alone(3, prompt(3, 53), 2));
    assert_eq!(engine.handle.stats().device_errors.get(), 0);
}

#[test]
fn a_restart_that_nobody_waits_for_is_given_up() {
    let Failing { handle, thread, faults, reloads: _reloads } =
        Failing::start(0, LIMITS, Restarts { pause: Duration::from_mins(10), ..AT_ONCE });
    let running = handle.submit(endless(Duration::from_mins(1))).expect("it serves");
    faults.lose_device();
    assert_eq!(events(running).pop(), LOST);
    drop(handle);
    assert_eq!(thread.join().expect("it does not panic"), Ok(()));
}

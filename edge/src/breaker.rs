//! A circuit breaker (Nygard, "Release It!"): a server that fails again and again is left alone for a while, and then asked
//! by one request before all others.
//!
//! It learns from the requests themselves. What it knows lives as long as the instance.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// When the circuit opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it is open at first.
    pub open_first: Duration,
    /// How long it is open at most; the time doubles with every probe that fails.
    pub open_max: Duration,
}

/// What is known about one server's health.
#[derive(Debug)]
pub struct Breaker {
    policy: Policy,
    state: Cell<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// All requests pass.
    Closed {
        /// Those in a row that failed.
        failures: u32,
    },
    /// None passes before a point in time; then one does.
    Open { until: Instant, wait: Duration },
    /// One is on its way to find out.
    HalfOpen { wait: Duration },
}

/// Leave to send one request. What becomes of it is told by its methods; a pass that is dropped untold taught nothing.
#[derive(Debug)]
pub struct Pass {
    breaker: Rc<Breaker>,
    /// Where this is the half-open circuit's one request.
    probe: Option<Duration>,
}

impl Breaker {
    /// A closed one.
    pub const fn new(policy: Policy) -> Self {
        Self { policy, state: Cell::new(State::Closed { failures: 0 }) }
    }

    /// Leave to send a request, or how long there is none.
    ///
    /// # Errors
    /// The time until the next probe; while one is on its way, the time after which another would follow its failure.
    pub fn admit(self: &Rc<Self>, now: Instant) -> Result<Pass, Duration> {
        match self.state.get() {
            State::Closed { .. } => Ok(Pass { breaker: Rc::clone(self), probe: None }),
            State::Open { until, .. } if now < until => Err(until - now),
            State::Open { wait, .. } => {
                self.state.set(State::HalfOpen { wait });
                Ok(Pass { breaker: Rc::clone(self), probe: Some(wait) })
            }
            State::HalfOpen { wait } => Err(wait),
        }
    }

    /// Whether all requests pass.
    pub fn is_closed(&self) -> bool {
        matches!(self.state.get(), State::Closed { .. })
    }

    fn fail(&self, now: Instant) {
        let open = |wait| State::Open { until: now + wait, wait };
        self.state.set(match self.state.get() {
            State::Closed { failures } if failures + 1 < self.policy.failures => {
                State::Closed { failures: failures + 1 }
            }
            State::Closed { .. } => open(self.policy.open_first),
            State::HalfOpen { wait } => open((wait * 2).min(self.policy.open_max)),
            // A request that was under way before the circuit opened says nothing new.
            State::Open { until, wait } => State::Open { until, wait },
        });
    }
}

impl Pass {
    /// The server answers: the circuit closes. Failures in a row are forgotten only at the answer's end.
    pub fn answered(&mut self) {
        if self.probe.take().is_some() {
            self.breaker.state.set(State::Closed { failures: 0 });
        }
    }

    /// The answer came to its end.
    pub fn succeeded(mut self) {
        self.answered();
        if self.breaker.is_closed() {
            self.breaker.state.set(State::Closed { failures: 0 });
        }
    }

    /// There was no answer, or it broke off.
    pub fn failed(mut self, now: Instant) {
        self.probe = None;
        self.breaker.fail(now);
    }
}

impl Drop for Pass {
    /// A probe that came to no end, because its client has left, makes room for another one.
    fn drop(&mut self) {
        if let Some(wait) = self.probe {
            self.breaker.state.set(State::Open { until: Instant::now(), wait });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy =
        Policy { failures: 5, open_first: Duration::from_secs(1), open_max: Duration::from_secs(30) };

    fn fail(breaker: &Rc<Breaker>, times: u32, now: Instant) {
        for _ in 0..times {
            breaker.admit(now).expect("a pass").failed(now);
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_fewer_do_not() {
        let (breaker, now) = (Rc::new(Breaker::new(POLICY)), Instant::now());
        fail(&breaker, POLICY.failures - 1, now);
        breaker.admit(now).expect("it is closed").succeeded();
        fail(&breaker, POLICY.failures - 1, now);
        assert!(breaker.is_closed());
        fail(&breaker, 1, now);
        assert_eq!(breaker.admit(now).expect_err("it is open"), POLICY.open_first);
        let almost = now + POLICY.open_first.saturating_sub(Duration::from_millis(1));
        assert!(breaker.admit(almost).is_err());
    }

    #[test]
    fn one_probe_decides_and_the_others_wait() {
        let (breaker, now) = (Rc::new(Breaker::new(POLICY)), Instant::now());
        fail(&breaker, POLICY.failures, now);
        let later = now + POLICY.open_first;
        let mut probe = breaker.admit(later).expect("the probe");
        assert!(breaker.admit(later).is_err(), "a second probe");
        probe.answered();
        assert!(breaker.is_closed() && breaker.admit(later).is_ok());
    }

    #[test]
    fn a_failed_probe_doubles_the_time_up_to_its_limit() {
        let (breaker, mut now) = (Rc::new(Breaker::new(POLICY)), Instant::now());
        fail(&breaker, POLICY.failures, now);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            let wait = breaker.admit(now).expect_err("it is open");
            assert_eq!(wait, Duration::from_secs(seconds));
            now += wait;
            fail(&breaker, 1, now);
        }
    }

    #[test]
    fn a_probe_whose_client_leaves_makes_room_for_the_next() {
        let (breaker, now) = (Rc::new(Breaker::new(POLICY)), Instant::now());
        fail(&breaker, POLICY.failures, now);
        drop(breaker.admit(now + POLICY.open_first).expect("the probe"));
        assert!(breaker.admit(now + POLICY.open_first).is_ok());
    }

    #[test]
    fn an_answer_that_breaks_off_counts_although_it_began() {
        let (breaker, now) = (Rc::new(Breaker::new(POLICY)), Instant::now());
        for _ in 0..POLICY.failures {
            let mut pass = breaker.admit(now).expect("a pass");
            pass.answered();
            pass.failed(now);
        }
        assert!(!breaker.is_closed());
    }
}

//! What an instance still does while its store does not answer: a little, and by its own count.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use adlib_shared::rate::{Decision, Gcra, State};

use crate::limit::{Limit, PERIOD_MS};

/// An instance lets this part of each rate through. How many instances there are it cannot know.
pub const SHARE_DIVISOR: u32 = 8;
/// So many requests of an instance go to the origin at once; further ones are shed.
pub const MISSES_MAX: usize = 2;
/// Most callers that are counted. Beyond that all are forgotten.
const CALLERS_MAX: usize = 4096;

/// The counts of one instance without a store.
#[derive(Debug, Default)]
pub struct Shelter {
    states: RefCell<HashMap<String, State>>,
    misses: Rc<Cell<usize>>,
}

/// The right to go to the origin without a store; it is given back when it is dropped.
#[derive(Debug)]
pub struct Passage(Rc<Cell<usize>>);

impl Drop for Passage {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Shelter {
    /// Judges a request by a part of its limits.
    pub fn judge(&self, limits: &[Limit], now_ms: u64) -> Vec<Decision> {
        let mut states = self.states.borrow_mut();
        if states.len() > CALLERS_MAX {
            states.clear();
        }
        let judge = |limit: &Limit| {
            let gcra = Gcra::new(PERIOD_MS, limit.gcra.burst() / SHARE_DIVISOR);
            let state = states.entry(limit.meter.to_string()).or_default();
            let decision = gcra.take(*state, limit.cost, now_ms);
            *state = decision.new_state;
            decision
        };
        limits.iter().map(judge).collect()
    }

    /// Lets a request go to the origin, if not too many are there.
    pub fn pass(&self) -> Option<Passage> {
        if self.misses.get() >= MISSES_MAX {
            return None;
        }
        self.misses.set(self.misses.get() + 1);
        Some(Passage(Rc::clone(&self.misses)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_address::ClientAddress;
    use crate::limit::Meter;

    const NOW_MS: u64 = 1_700_000_000_000;

    #[test]
    fn a_part_of_the_rate_passes_and_at_least_one_request() {
        let address = ClientAddress::parse("192.0.2.1").expect("an address");
        for (burst, passing) in [(80, 10), (8, 1), (1, 1)] {
            let shelter = Shelter::default();
            let limit =
                [Limit { meter: Meter::Address(address), gcra: Gcra::new(PERIOD_MS, burst), cost: 1 }];
            let passed = (0..burst + 5).filter(|_| shelter.judge(&limit, NOW_MS)[0].allowed).count();
            assert_eq!(passed, passing);
        }
    }

    #[test]
    fn a_few_misses_pass_at_once_and_one_more_when_one_is_over() {
        let shelter = Shelter::default();
        let mut passing: Vec<_> = (0..MISSES_MAX).map(|_| shelter.pass().expect("a place")).collect();
        assert!(shelter.pass().is_none());
        passing.pop();
        assert!(shelter.pass().is_some());
    }
}

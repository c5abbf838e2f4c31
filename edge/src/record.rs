//! What is noted about one request while it is worked on, for its line in the log and the counters.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::hop::origins::Origin;

/// The notes on one request. Clones share them: a body that is still on its way holds one.
#[derive(Debug, Clone, Default)]
pub struct Record(Rc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    origin: RefCell<Option<Rc<Origin>>>,
    attempts: Cell<u32>,
    hedged: Cell<bool>,
}

impl Record {
    /// An origin is asked.
    pub fn ask(&self, origin: &Rc<Origin>) {
        self.0.attempts.set(self.0.attempts.get() + 1);
        self.0.origin.replace(Some(Rc::clone(origin)));
    }

    /// A second origin is asked beside the first.
    pub fn hedge(&self) {
        self.0.hedged.set(true);
    }
}

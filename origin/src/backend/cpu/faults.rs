//! Failures made to happen, for tests of what follows them.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use super::Cpu;
use crate::backend::BackendError;

/// What the coming steps fail with. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<VecDeque<BackendError>>>);

impl Faults {
    /// The next step that has no fault yet fails like this.
    pub(crate) fn push(&self, error: BackendError) {
        self.0.lock().expect("no test panics here").push_back(error);
    }

    /// The device of a coming step fails.
    pub(crate) fn lose_device(&self) {
        self.push(BackendError::Device { reason: String::from("the device fell off the bus") });
    }

    /// How many hold this: the tests' own clones and the devices that are still there.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Fails if it is time to.
    pub(super) fn strike(&self) -> Result<(), BackendError> {
        self.0.lock().expect("no test panics here").pop_front().map_or(Ok(()), Err)
    }
}

impl Cpu {
    /// One thread, and steps that fail when they are told to.
    pub(crate) fn failing(faults: Faults) -> Self {
        Self { faults, ..Self::new(NonZeroUsize::MIN) }
    }
}

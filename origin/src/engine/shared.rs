//! What an engine's thread shares with everyone who asks it for something.

use std::sync::{PoisonError, RwLock};

use super::blocks::Prefixes;
use super::stats::Stats;

/// What an engine is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It takes requests.
    Serving,
    /// Its device failed, and its model is being loaded anew.
    Restarting {
        /// How the device failed.
        reason: String,
    },
    /// It has ended and does not come back.
    Stopped {
        /// Why.
        reason: String,
    },
}

/// Kept by the engine's thread, read by any.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) stats: Stats,
    pub(super) prefixes: Prefixes,
    condition: RwLock<Condition>,
}

impl Shared {
    pub(super) fn new() -> Self {
        let condition = RwLock::new(Condition::Serving);
        Self { stats: Stats::default(), prefixes: Prefixes::default(), condition }
    }

    pub(super) fn condition(&self) -> Condition {
        self.condition.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn is_serving(&self) -> bool {
        *self.condition.read().unwrap_or_else(PoisonError::into_inner) == Condition::Serving
    }

    pub(super) fn set_condition(&self, condition: Condition) {
        *self.condition.write().unwrap_or_else(PoisonError::into_inner) = condition;
    }
}

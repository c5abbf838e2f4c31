//! The engines of one model, one on each device. A request goes to the engine that has least to do.

use std::cmp::Reverse;
use std::sync::Arc;

use super::blocks;
use super::handle::{EngineThread, Handle};
use super::limits::EngineLimits;
use super::request::{Generation, Request, SubmitError};
use super::shared::Condition;
use super::supervisor::EngineLost;

/// Submits requests to one of several engines, which answer a request alike.
#[derive(Clone)]
pub struct Fleet {
    replicas: Arc<[Handle]>,
    limits: EngineLimits,
}

/// The threads of a fleet.
pub struct FleetThreads(pub Vec<EngineThread>);

impl Fleet {
    /// A fleet of these engines.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(replicas: Vec<Handle>) -> Self {
        let limits = replicas.iter().map(Handle::limits).reduce(EngineLimits::within);
        Self { limits: limits.expect("a fleet has an engine"), replicas: replicas.into() }
    }

    /// Puts a request in the queue of the least loaded engine that serves and has room in it; among equals, of the one
    /// that holds most of its prompt's prefix. Says why where no engine can take it.
    pub fn submit(&self, request: Request) -> Result<Generation, SubmitError> {
        self.limits.admit(&request)?;
        let hashes = blocks::chain_hashes(&request.salt, &request.prompt);
        let mut serving: Vec<_> = self.replicas.iter().filter(|replica| replica.is_serving()).collect();
        if serving.is_empty() {
            return Err(SubmitError::NotRunning);
        }
        serving.sort_by_cached_key(|replica| (replica.stats().load.get(), Reverse(replica.cached(&hashes))));
        let Some(chosen) = serving.iter().find(|replica| replica.reserve()) else {
            return Err(SubmitError::Overloaded(self.limits.queue_max * serving.len()));
        };
        chosen.send(request, hashes)
    }

    /// What every engine can take.
    pub fn limits(&self) -> EngineLimits {
        self.limits
    }

    /// The engines, by number.
    pub fn replicas(&self) -> &[Handle] {
        &self.replicas
    }

    /// Whether an engine takes requests; else why none does.
    pub fn ready(&self) -> Result<(), Vec<String>> {
        if self.replicas.iter().any(Handle::is_serving) {
            return Ok(());
        }
        let reasons =
            self.replicas.iter().enumerate().filter_map(|(replica, handle)| match handle.condition() {
                Condition::Serving => None,
                Condition::Restarting { reason } => {
                    Some(format!("engine {replica} is being started anew: {reason}"))
                }
                Condition::Stopped { reason } => Some(format!("engine {replica} has stopped: {reason}")),
            });
        Err(reasons.collect())
    }
}

impl FleetThreads {
    /// Waits until the last engine has ended: because nobody has a handle any more, or else with its failure.
    pub fn wait(self) -> Result<(), EngineLost> {
        let mut last = Ok(());
        for (replica, thread) in self.0.into_iter().enumerate() {
            let panicked = |_| Err(EngineLost { replica, reason: String::from("a fault of the program") });
            last = last.and(thread.join().unwrap_or_else(panicked));
        }
        last
    }
}

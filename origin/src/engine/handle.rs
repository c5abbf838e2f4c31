//! How the rest of the origin talks to the engine's thread.

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use super::blocks::{self, ChainHash};
use super::limits::EngineLimits;
use super::live::Submission;
use super::request::{Cancellation, Generation, Load, Request, SubmitError};
use super::shared::{Condition, Shared};
use super::stats::Stats;
use super::supervisor::{EngineLost, Restarts, Supervisor};
use crate::backend::Backend;
use crate::model::llama::Llama;

/// Submits requests. When the last clone is dropped, the engine finishes what it has and its thread ends.
#[derive(Clone)]
pub struct Handle {
    submissions: Sender<Submission>,
    limits: EngineLimits,
    shared: Arc<Shared>,
}

/// An engine's thread: how it ended.
pub type EngineThread = JoinHandle<Result<(), EngineLost>>;

impl Handle {
    /// Starts an engine on a thread of its own. `reload` gives the model again, on a fresh device, after the device has
    /// failed; `replica` is which of several engines it is.
    pub fn start<B, E>(
        replica: usize,
        model: Llama<B>,
        limits: EngineLimits,
        restarts: Restarts,
        reload: impl FnMut() -> Result<Llama<B>, E> + Send + 'static,
    ) -> io::Result<(Handle, EngineThread)>
    where
        B: Backend + 'static,
        E: Display,
    {
        let (sender, submissions) = channel();
        let shared = Arc::new(Shared::new());
        let handle = Handle { submissions: sender, limits, shared: Arc::clone(&shared) };
        let supervisor = Supervisor { replica, limits, submissions, shared, restarts, reload };
        let thread =
            std::thread::Builder::new().name(format!("engine-{replica}")).spawn(|| supervisor.run(model))?;
        Ok((handle, thread))
    }

    /// Puts a request in the queue, or says why it cannot be taken.
    pub fn submit(&self, request: Request) -> Result<Generation, SubmitError> {
        self.limits.admit(&request)?;
        if !self.is_serving() {
            return Err(SubmitError::NotRunning);
        }
        if !self.reserve() {
            return Err(SubmitError::Overloaded(self.limits.queue_max));
        }
        let hashes = blocks::chain_hashes(&request.salt, &request.prompt);
        self.send(request, hashes)
    }

    /// Takes a place in the queue, if there is one.
    pub(super) fn reserve(&self) -> bool {
        self.shared.stats.waiting.add_one_below(self.limits.queue_max as u64)
    }

    /// Puts a request in the place that was taken.
    pub(super) fn send(&self, request: Request, hashes: Vec<ChainHash>) -> Result<Generation, SubmitError> {
        let (events, receiver) = tokio::sync::mpsc::unbounded_channel();
        let cancelled = Cancellation::default();
        let load = Load::new(&self.shared, request.sequences());
        let at = Instant::now();
        let submission = Submission { request, hashes, events, cancelled: cancelled.clone(), at };
        self.submissions.send(submission).map_err(|_| SubmitError::NotRunning)?;
        Ok(Generation { events: receiver, cancelled, _load: load })
    }

    /// How many of a prompt's blocks the engine has in its cache, from the first on.
    pub(super) fn cached(&self, hashes: &[ChainHash]) -> usize {
        self.shared.prefixes.leading(hashes)
    }

    /// The engine's limits.
    pub fn limits(&self) -> EngineLimits {
        self.limits
    }

    /// The engine's counters.
    pub fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// Whether it takes requests.
    pub fn is_serving(&self) -> bool {
        self.shared.is_serving()
    }

    /// What it is doing.
    pub fn condition(&self) -> Condition {
        self.shared.condition()
    }
}

//! How the rest of the origin talks to the engine's thread.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use super::Engine;
use super::limits::EngineLimits;
use super::live::Submission;
use super::request::{Cancellation, Generation, Request, SubmitError};
use super::stats::Stats;
use crate::backend::Backend;
use crate::model::llama::Llama;

/// Submits requests. When the last clone is dropped, the engine finishes what it has and its thread ends.
#[derive(Clone)]
pub struct Handle {
    submissions: Sender<Submission>,
    limits: EngineLimits,
    stats: Arc<Stats>,
}

impl Handle {
    /// Starts an engine on a thread of its own.
    pub fn start<B: Backend + 'static>(
        model: Llama<B>,
        limits: EngineLimits,
    ) -> std::io::Result<(Handle, JoinHandle<()>)> {
        let (sender, receiver) = channel();
        let stats = Arc::new(Stats::default());
        stats.blocks_free.set(limits.blocks as u64);
        let handle = Handle { submissions: sender, limits, stats: Arc::clone(&stats) };
        let thread = std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || Engine::new(model, limits, receiver, stats).run_until_closed())?;
        Ok((handle, thread))
    }

    /// Puts a request in the queue, or says why it cannot be taken.
    pub fn submit(&self, request: Request) -> Result<Generation, SubmitError> {
        self.admissible(&request)?;
        if !self.stats.waiting.add_one_below(self.limits.queue_max as u64) {
            return Err(SubmitError::Overloaded(self.limits.queue_max));
        }
        let (events, receiver) = tokio::sync::mpsc::unbounded_channel();
        let cancelled = Cancellation::default();
        let submission = Submission { request, events, cancelled: cancelled.clone(), at: Instant::now() };
        self.submissions.send(submission).map_err(|_| SubmitError::Stopped)?;
        Ok(Generation { events: receiver, cancelled })
    }

    fn admissible(&self, request: &Request) -> Result<(), SubmitError> {
        assert!(
            !request.prompt.is_empty() && !request.guides.is_empty(),
            "a request has a prompt and a guide"
        );
        let needed = request.prompt.len() + request.tokens_max;
        let limit = self.limits.tokens_max();
        if needed > limit {
            return Err(SubmitError::TooLong { needed, limit });
        }
        let needed = request.guides.iter().map(|guide| guide.branches()).sum();
        if needed > self.limits.sequences_max {
            return Err(SubmitError::TooWide { needed, limit: self.limits.sequences_max });
        }
        Ok(())
    }

    /// The engine's limits.
    pub fn limits(&self) -> EngineLimits {
        self.limits
    }

    /// The engine's counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}

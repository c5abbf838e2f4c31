//! A request to the engine, and what comes back of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::guide::Guide;
use super::shared::Shared;

/// A prompt and the variants to grow from it.
pub struct Request {
    /// The prompt's tokens, at least one.
    pub prompt: Vec<u32>,
    /// Most tokens that one variant may hold behind the prompt.
    pub tokens_max: usize,
    /// Separates the prefix caches of tenants.
    pub salt: Vec<u8>,
    /// One guide a variant, at least one.
    pub guides: Vec<Box<dyn Guide>>,
    /// When the work is given up.
    pub deadline: Instant,
}

impl Request {
    /// Sequences that it runs at once: the branches of all its variants.
    pub fn sequences(&self) -> usize {
        self.guides.iter().map(|guide| guide.branches()).sum()
    }
}

/// What the engine tells of a request. At most `guides + 3` of them, so that their channel is bounded by the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It left the queue.
    Admitted {
        /// Time in the queue.
        queued: Duration,
        /// Prompt tokens found in the prefix cache.
        cached_tokens: usize,
    },
    /// The prompt is computed; variants are being decoded.
    Prefilled {
        /// Time since admission.
        took: Duration,
    },
    /// A variant ended.
    Finished {
        /// Its index among the request's guides.
        variant: usize,
        /// Why.
        reason: FinishReason,
    },
    /// The request ended before its variants did.
    Aborted(AbortReason),
    /// Every variant has ended; the last event.
    Complete {
        /// Time since the prompt was computed.
        decoded: Duration,
        /// Tokens sampled for it, dropped branches included.
        sampled_tokens: usize,
    },
}

/// Why a variant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// Its guide finished it.
    Guide,
    /// It reached the request's `tokens_max`.
    Length,
}

/// Why a request ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbortReason {
    /// Its deadline passed.
    Deadline,
    /// A step failed; the log says how.
    StepFailed,
    /// The device had no memory for a step.
    OutOfMemory,
    /// The device failed; its engine is started anew.
    DeviceLost,
}

/// Why a request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The queue is full.
    #[error("the queue holds {0} requests, its limit")]
    Overloaded(usize),
    /// The prompt and its answer can never fit.
    #[error("{needed} tokens are needed and at most {limit} fit")]
    TooLong {
        /// Prompt and longest answer.
        needed: usize,
        /// What one sequence may hold.
        limit: usize,
    },
    /// More branches than sequences run at once.
    #[error("{needed} sequences are needed and at most {limit} run at once")]
    TooWide {
        /// Branches of all variants.
        needed: usize,
        /// The engine's limit.
        limit: usize,
    },
    /// The engine is being started anew, or has stopped.
    #[error("the engine is not running")]
    NotRunning,
}

/// The receiving side of a request. Dropping it cancels the request.
#[derive(Debug)]
pub struct Generation {
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    pub(super) cancelled: Cancellation,
    pub(super) _load: Load,
}

impl Generation {
    /// The next event; nothing after the last one, or when the engine stopped.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// The next event, for callers outside an asynchronous runtime.
    pub fn next_blocking(&mut self) -> Option<Event> {
        self.events.blocking_recv()
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.cancelled.0.store(true, Ordering::Release);
    }
}

/// The sequences that a request may run, counted as its engine's load until this is dropped.
#[derive(Debug)]
pub(super) struct Load {
    shared: Arc<Shared>,
    sequences: u64,
}

impl Load {
    pub(super) fn new(shared: &Arc<Shared>, sequences: usize) -> Self {
        let sequences = sequences as u64;
        shared.stats.load.add(sequences);
        Self { shared: Arc::clone(shared), sequences }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stats.load.subtract(self.sequences);
    }
}

/// Set when nobody waits for a request any more.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

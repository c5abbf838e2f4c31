//! The copywriter: a valid brief becomes copy.
//!
//! A brief is planned into a prompt and lines; the engine writes the lines under a guide that judges them with the same
//! `check` that the finished copy must pass; what breaks a hard limit at the end is written again a bounded number of
//! times and is never returned.

pub mod card;
pub mod finished;
pub mod guide;
pub mod judge;
pub mod load;
pub mod plan;
pub mod prompt;
pub mod stretch;
pub mod vocabulary;

mod ranking;
mod writing;

use std::sync::Arc;
use std::time::Instant;

use adlib_shared::brief::Brief;
use adlib_shared::catalog::ModelInfo;
use adlib_shared::copy::ModelRef;
use adlib_shared::event::Event;
use adlib_shared::problem::{Code, Problem};
use tokio::sync::mpsc;

use self::guide::Assignment;
use self::judge::Judge;
use self::prompt::PromptStyle;
use self::vocabulary::Vocabulary;
use self::writing::Writing;
use crate::engine::fleet::Fleet;

/// Most branches of one variant.
pub const BRANCHES_MAX: usize = 4;

/// Events that may wait for a slow client before the writing waits too.
const EVENTS_WAITING_MAX: usize = 64;

/// Who asks, and until when.
#[derive(Debug, Clone)]
pub struct WriteContext {
    /// Separates prefix caches.
    pub tenant: String,
    /// Names the request in the log.
    pub request_id: String,
    /// When the work is given up.
    pub deadline: Instant,
}

/// Turns briefs into copy on the engines of one model.
#[derive(Clone)]
pub struct Copywriter {
    engines: Fleet,
    vocabulary: Arc<Vocabulary>,
    style: PromptStyle,
    model: ModelInfo,
    branches_max: usize,
}

impl Copywriter {
    /// A copywriter over running engines and their model's tokenizer.
    pub fn new(engines: Fleet, vocabulary: Arc<Vocabulary>, style: PromptStyle, model: ModelInfo) -> Self {
        Self { engines, vocabulary, style, model, branches_max: BRANCHES_MAX }
    }

    /// The engines, for their counters and conditions.
    pub fn engines(&self) -> &Fleet {
        &self.engines
    }

    /// The model that writes.
    pub fn model(&self) -> &ModelInfo {
        &self.model
    }

    /// Writes with at most this many branches, for measurements of what they are worth.
    pub fn set_branches_max(&mut self, branches_max: usize) {
        self.branches_max = branches_max.max(1);
    }

    fn model_ref(&self) -> ModelRef {
        ModelRef { id: self.model.id.clone(), fingerprint: self.model.fingerprint.clone() }
    }

    /// Begins to write. The stream ends with `done` or `error`; dropping it cancels the work.
    ///
    /// # Errors
    /// `infeasible_constraints`, where the brief cannot be planned; `overloaded`, where every queue is full; `origin_unavailable`,
    /// where no engine runs.
    pub fn write(&self, brief: Brief, context: WriteContext) -> Result<CopyStream, Problem> {
        let started = Instant::now();
        let lines = plan::lines(&brief)?;
        let prompt = self.style.tokens(self.vocabulary.tokenizer(), &brief, &lines).map_err(|error| {
            tracing::error!(%error, "the chat template failed");
            Problem::new(Code::Internal, "the prompt could not be made")
        })?;
        let seed = brief.seed.unwrap_or_else(random_seed);
        let assignment = Assignment {
            lines,
            temperature: brief.creativity.temperature(),
            seed,
            branches: (self.engines.limits().sequences_max / brief.variants).clamp(1, self.branches_max),
            judge: Judge::new(brief),
        };
        let (events, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
        let writing = Writing::begin(self.clone(), Arc::new(assignment), prompt, context, started)?;
        tokio::spawn(writing.run(events));
        Ok(CopyStream { events: receiver })
    }
}

/// A copy as it is written.
#[derive(Debug)]
pub struct CopyStream {
    events: mpsc::Receiver<Event>,
}

impl CopyStream {
    /// The next event; nothing after the last one.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl futures::Stream for CopyStream {
    type Item = Event;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Event>> {
        self.events.poll_recv(context)
    }
}

/// A seed for a brief that has none. Below 2^53, so that JSON readers with doubles keep it.
fn random_seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0 >> 11
}

//! One brief in progress: follows the engine and the guides, and tells the client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adlib_shared::copy::{Copy, TimingMs, Usage};
use adlib_shared::event::{Delta, Event, Start};
use adlib_shared::problem::{Code, Problem};
use tokio::sync::mpsc;

use super::guide::{Assignment, LineGuide, Written};
use super::ranking::{self, Candidate};
use super::{Copywriter, WriteContext};
use crate::engine::guide::Guide;
use crate::engine::request::{AbortReason, Event as EngineEvent, Generation, Request, SubmitError};

/// Rounds in which variants that break a hard limit, or repeat another one, are written again.
const ROUNDS_MAX: u32 = 3;

/// Tokens that one variant may take for each character of its lines' limits, with room for field names.
const TOKENS_PER_CHARACTER: usize = 1;
const TOKENS_PER_LINE: usize = 16;

pub(super) struct Writing {
    writer: Copywriter,
    assignment: Arc<Assignment>,
    prompt: Vec<u32>,
    context: WriteContext,
    started: Instant,
    id: String,
    round: Round,
    usage: Usage,
    timing: TimingMs,
    /// By variant.
    candidates: Vec<Option<Candidate>>,
}

/// The engine's request of one round.
struct Round {
    number: u32,
    generation: Generation,
    written: mpsc::UnboundedReceiver<Written>,
}

impl Writing {
    /// Puts the first round in the engine's queue.
    pub(super) fn begin(
        writer: Copywriter,
        assignment: Arc<Assignment>,
        prompt: Vec<u32>,
        context: WriteContext,
        started: Instant,
    ) -> Result<Self, Problem> {
        let variants = assignment.judge.brief().variants;
        let mut writing = Self {
            round: submit(&writer, &assignment, &prompt, &context, 0, &(0..variants).collect::<Vec<_>>())?,
            writer,
            assignment,
            usage: Usage { prompt_tokens: prompt.len() as u64, ..Usage::default() },
            prompt,
            context,
            started,
            id: format!("copy_{}", uuid::Uuid::new_v4().simple()),
            timing: TimingMs::default(),
            candidates: Vec::new(),
        };
        writing.candidates.resize_with(variants, || None);
        Ok(writing)
    }

    /// Runs to the last event. Ends early, dropping the engine's request, when nobody receives any more.
    pub(super) async fn run(mut self, events: mpsc::Sender<Event>) {
        let start = Start { id: self.id.clone(), model: self.writer.model_ref(), seed: self.assignment.seed };
        if events.send(Event::Start(start)).await.is_err() {
            return;
        }
        let last = tokio::select! {
            () = events.closed() => return,
            outcome = self.write(&events) => match outcome {
                Ok(copy) => Event::Done(copy),
                Err(problem) => Event::Error(problem),
            },
        };
        let _ = events.send(last).await;
    }

    async fn write(&mut self, events: &mpsc::Sender<Event>) -> Result<Copy, Problem> {
        loop {
            self.follow_round(events).await?;
            let again = ranking::to_write_again(&self.candidates);
            if again.is_empty() || self.round.number + 1 == ROUNDS_MAX {
                break;
            }
            let number = self.round.number + 1;
            self.round = submit(&self.writer, &self.assignment, &self.prompt, &self.context, number, &again)?;
        }
        let brief = self.assignment.judge.brief();
        let candidates = std::mem::take(&mut self.candidates);
        let (variants, best) =
            ranking::rank(self.assignment.judge.scorer(), candidates).ok_or_else(|| {
                let detail = format!("no variant kept every limit in {ROUNDS_MAX} rounds");
                Problem::new(Code::ConstraintUnsatisfied, detail)
            })?;
        for variant in &variants {
            let _ = events.send(Event::Variant(variant.clone())).await;
        }
        self.timing.total = milliseconds(self.started.elapsed());
        Ok(Copy {
            id: self.id.clone(),
            channel: brief.channel.id.to_owned(),
            channel_revision: brief.channel.revision,
            language: brief.language.as_str().to_owned(),
            model: self.writer.model_ref(),
            seed: self.assignment.seed,
            usage: self.usage,
            timing_ms: self.timing,
            variants,
            best,
        })
    }

    /// Takes in what the round's guides and the engine tell, until the engine says that all is complete.
    async fn follow_round(&mut self, events: &mpsc::Sender<Event>) -> Result<(), Problem> {
        loop {
            tokio::select! {
                biased;
                Some(written) = self.round.written.recv() => self.take(written, events).await,
                event = self.round.generation.next() => match event {
                    Some(event) => {
                        if self.note(&event)? {
                            // What the guides told before the engine's last word is in their channel already.
                            while let Ok(written) = self.round.written.try_recv() {
                                self.take(written, events).await;
                            }
                            return Ok(());
                        }
                    }
                    None => return Err(unavailable()),
                },
            }
        }
    }

    async fn take(&mut self, written: Written, events: &mpsc::Sender<Event>) {
        match written {
            Written::Text { variant, line, text } => {
                // A variant that is written again is told as a whole at the end: a client cannot take text back.
                if self.round.number == 0 {
                    let line = &self.assignment.lines[line];
                    let (variant, field) = (ranking::variant_id(variant), line.field.name.to_owned());
                    let _ =
                        events.send(Event::Delta(Delta { variant, field, index: line.index, text })).await;
                }
            }
            Written::Variant { variant, texts, likelihood } => {
                let candidate =
                    Candidate::new(self.assignment.judge.brief(), &self.assignment.lines, texts, likelihood);
                let kept = &mut self.candidates[variant];
                if kept.as_ref().is_none_or(|kept| !kept.is_ok() || candidate.is_ok()) {
                    *kept = Some(candidate);
                }
            }
        }
    }

    /// Notes what the engine tells; true after its last event.
    fn note(&mut self, event: &EngineEvent) -> Result<bool, Problem> {
        match event {
            EngineEvent::Admitted { queued, cached_tokens } => {
                self.timing.queue += milliseconds(*queued);
                if self.round.number == 0 {
                    self.usage.cached_tokens = *cached_tokens as u64;
                }
            }
            EngineEvent::Prefilled { took } => self.timing.prefill += milliseconds(*took),
            EngineEvent::Finished { .. } => {}
            EngineEvent::Complete { decoded, sampled_tokens } => {
                self.timing.decode += milliseconds(*decoded);
                self.usage.completion_tokens += *sampled_tokens as u64;
                return Ok(true);
            }
            EngineEvent::Aborted(AbortReason::Deadline) => {
                return Err(Problem::new(Code::DeadlineExceeded, "the copy was not finished in time"));
            }
            EngineEvent::Aborted(AbortReason::StepFailed) => {
                return Err(Problem::new(Code::Internal, "the model failed"));
            }
            EngineEvent::Aborted(AbortReason::OutOfMemory) => {
                let problem = Problem::new(Code::Overloaded, "the model has no memory left");
                return Err(problem.with_retry_after_s(RETRY_AFTER_S));
            }
            EngineEvent::Aborted(AbortReason::DeviceLost) => return Err(unavailable()),
        }
        Ok(false)
    }
}

/// Asks the engine to write these variants.
fn submit(
    writer: &Copywriter,
    assignment: &Arc<Assignment>,
    prompt: &[u32],
    context: &WriteContext,
    number: u32,
    variants: &[usize],
) -> Result<Round, Problem> {
    let (out, written) = mpsc::unbounded_channel();
    let guides = variants
        .iter()
        .map(|&variant| {
            let vocabulary = Arc::clone(&writer.vocabulary);
            Box::new(LineGuide::new(Arc::clone(assignment), vocabulary, variant, number, out.clone()))
                as Box<dyn Guide>
        })
        .collect();
    let tokens_max =
        assignment.lines.iter().map(|line| line.limit * TOKENS_PER_CHARACTER + TOKENS_PER_LINE).sum();
    let request = Request {
        prompt: prompt.to_vec(),
        tokens_max,
        salt: context.tenant.clone().into_bytes(),
        guides,
        deadline: context.deadline,
    };
    let generation = writer.engines.submit(request).map_err(refusal)?;
    Ok(Round { number, generation, written })
}

fn refusal(error: SubmitError) -> Problem {
    match error {
        SubmitError::Overloaded(_) => {
            Problem::new(Code::Overloaded, "too many requests are waiting").with_retry_after_s(RETRY_AFTER_S)
        }
        SubmitError::TooLong { needed, limit } => Problem::new(
            Code::InfeasibleConstraints,
            format!(
                "the brief and its copy may take {needed} tokens and the model holds {limit}; shorten the brief"
            ),
        ),
        SubmitError::TooWide { .. } => {
            tracing::error!(%error, "a request was refused by the engine");
            Problem::new(Code::Overloaded, "the model is not available").with_retry_after_s(RETRY_AFTER_S)
        }
        SubmitError::NotRunning => unavailable(),
    }
}

/// No engine runs, or the request's has just failed. Whoever asks again finds another one or the same one restarted.
fn unavailable() -> Problem {
    Problem::new(Code::OriginUnavailable, "the model is being started anew")
        .with_retry_after_s(RETRY_RESTARTING_S)
}

/// What an overloaded origin asks clients to wait: about the time of one brief on a CPU.
const RETRY_AFTER_S: u32 = 2;
/// What clients are asked to wait while an engine is started anew: about a pause and a model's loading.
const RETRY_RESTARTING_S: u32 = 5;

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e4).round() / 10.0
}

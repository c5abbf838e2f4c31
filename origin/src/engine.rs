//! The engine: continuous batching of guided generation over one model on one device.
//!
//! One thread owns the model. [`Handle`]s submit requests through a bounded queue; [`Engine::step`] is three verbs:
//! schedule, run, deliver. While a device runs a step by itself, guides choose among the branches that were done before it:
//! their variants wait a step for that and nobody else does. The engine knows no HTTP and no text: tokens go in and guides see tokens come out.

pub mod blocks;
pub mod fleet;
pub mod guide;
pub mod limits;
pub mod request;
pub mod stats;

mod handle;
mod live;
mod scheduler;
mod sequence;
mod shared;
mod supervisor;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

pub use handle::{EngineThread, Handle};
pub use shared::Condition;
pub use supervisor::{EngineLost, Restarts};

use live::{LiveRequest, Submission};
use scheduler::{Chunk, Queued, Scheduler};
use sequence::{Place, Sequence};
use shared::Shared;

use self::guide::{Progress, Selection};
use self::limits::EngineLimits;
use self::request::{AbortReason, Event, FinishReason};
use crate::backend::Backend;
use crate::backend::batch::{Batch, SampleRow, SequenceSpan};
use crate::backend::sampling::Sampled;
use crate::model::llama::{Llama, Severity, StepError};

/// A model, its scheduler and the requests in progress.
pub struct Engine<'a, B: Backend> {
    model: Llama<B>,
    scheduler: Scheduler,
    requests: BTreeMap<u64, LiveRequest>,
    next_request: u64,
    /// Variants that may be done with a stretch, as (request, variant).
    undecided: Vec<(u64, usize)>,
    submissions: &'a Receiver<Submission>,
    shared: &'a Shared,
}

impl<'a, B: Backend> Engine<'a, B> {
    fn new(
        model: Llama<B>,
        limits: EngineLimits,
        submissions: &'a Receiver<Submission>,
        shared: &'a Shared,
    ) -> Self {
        let scheduler = Scheduler::new(limits, shared.prefixes.clone());
        let engine = Self {
            model,
            scheduler,
            requests: BTreeMap::new(),
            next_request: 0,
            undecided: Vec::new(),
            submissions,
            shared,
        };
        engine.gauge();
        engine
    }

    /// Serves until every handle is gone and every request has ended, or until the device fails.
    fn run_until_closed(mut self) -> Result<(), StepError> {
        while self.receive() {
            self.retire(Instant::now());
            if self.scheduler.is_idle() {
                continue;
            }
            let Err(error) = self.step() else { continue };
            match error.severity() {
                Severity::Refused => {
                    tracing::error!(%error, "a step was refused; its requests are ended");
                    self.abort_all(AbortReason::StepFailed);
                }
                Severity::Memory => {
                    tracing::error!(%error, "a step found no memory; its requests are ended");
                    self.abort_all(AbortReason::OutOfMemory);
                }
                Severity::DeviceLost => {
                    // First, so that who is told of it does not find the engine ready.
                    self.shared.set_condition(Condition::Restarting { reason: error.to_string() });
                    self.abort_all(AbortReason::DeviceLost);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// One step of everything that runs.
    fn step(&mut self) -> Result<(), StepError> {
        let started = Instant::now();
        let plan = self.schedule();
        self.begin(&plan)?;
        // What is left of the step before changes nothing that this one computes.
        self.decide();
        let sampled = self.model.end_step()?;
        self.deliver(&plan, sampled)?;
        // Where nothing would be computed meanwhile there is nothing to wait for.
        if !self.model.is_asynchronous() || self.scheduler.running.is_empty() {
            self.decide();
        }
        self.count(&plan, started);
        Ok(())
    }

    /// Takes in what was submitted; waits if there is nothing else to do. False when nothing can come any more.
    fn receive(&mut self) -> bool {
        loop {
            let submission = if self.requests.is_empty() {
                match self.submissions.recv() {
                    Ok(submission) => submission,
                    Err(_) => return false,
                }
            } else {
                match self.submissions.try_recv() {
                    Ok(submission) => submission,
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => return true,
                }
            };
            self.accept(submission);
        }
    }

    fn accept(&mut self, submission: Submission) {
        let id = self.next_request;
        self.next_request += 1;
        let (live, tokens, hashes) = LiveRequest::new(submission);
        let prompt = Sequence::prompt(id, tokens, hashes.into(), self.scheduler.pool().empty_table());
        self.scheduler.enqueue(Queued { prompt, lanes: live.lanes() });
        self.requests.insert(id, live);
    }

    /// Drops requests that nobody waits for and those whose time is up.
    fn retire(&mut self, now: Instant) {
        let over = |live: &LiveRequest| live.is_cancelled() || live.is_late(now);
        let over: Vec<u64> = self.requests.iter().filter(|(_, live)| over(live)).map(|(&id, _)| id).collect();
        if over.is_empty() {
            return;
        }
        for id in over {
            // Nobody hears of a cancelled request's end.
            self.abort(id, AbortReason::Deadline);
        }
        self.gauge();
    }

    fn abort_all(&mut self, reason: AbortReason) {
        for id in self.requests.keys().copied().collect::<Vec<_>>() {
            self.abort(id, reason);
        }
        self.gauge();
    }

    fn abort(&mut self, id: u64, reason: AbortReason) {
        let Some(live) = self.requests.remove(&id) else { return };
        self.scheduler.remove(id);
        if live.is_admitted() {
            self.scheduler.release_lanes(live.open_lanes());
        } else {
            self.shared.stats.waiting.subtract(1);
        }
        live.tell(Event::Aborted(reason));
    }

    fn schedule(&mut self) -> Vec<Chunk> {
        let (plan, admitted) = self.scheduler.schedule();
        for (id, cached_tokens) in admitted {
            let live = self.requests.get_mut(&id).expect("only live requests are scheduled");
            live.admit(cached_tokens);
            self.shared.stats.waiting.subtract(1);
            self.shared.stats.requests.add(1);
            self.shared.stats.prompt_tokens.add(live.prompt_count() as u64);
            self.shared.stats.cached_tokens.add(cached_tokens as u64);
        }
        plan
    }

    /// Begins to compute the planned tokens and to sample behind every sequence that they complete, in the plan's order.
    fn begin(&mut self, plan: &[Chunk]) -> Result<(), StepError> {
        let mut tokens = Vec::new();
        let mut spans = Vec::with_capacity(plan.len());
        let mut samples = Vec::new();
        for chunk in plan {
            let sequence = &self.scheduler.running[chunk.index];
            let start = sequence.computed;
            tokens.extend_from_slice(&sequence.tokens[start..start + chunk.count]);
            spans.push(SequenceSpan { start, count: chunk.count, blocks: sequence.table.blocks() });
            if chunk.count == sequence.pending() {
                let live = &self.requests[&sequence.request];
                let row = tokens.len() - 1;
                samples.extend(live.branches_of(sequence.place).map(|(variant, branch)| {
                    let sampling = live.sampling(variant, branch);
                    SampleRow {
                        row,
                        params: sampling.params,
                        position: sequence.tokens.len() as u64,
                        history: sequence.generated(),
                        mask: sampling.mask,
                    }
                }));
            }
        }
        self.shared.stats.sampled_tokens.add(samples.len() as u64);
        self.model.begin_step(&Batch { tokens: &tokens, sequences: &spans, samples: &samples })
    }

    /// Hands the sampled tokens to the guides and forks, parks, continues or ends the sequences accordingly.
    fn deliver(&mut self, plan: &[Chunk], sampled: Vec<Sampled>) -> Result<(), StepError> {
        let mut sampled = sampled.into_iter();
        let mut planned = plan.iter().peekable();
        for (index, mut sequence) in std::mem::take(&mut self.scheduler.running).into_iter().enumerate() {
            if let Some(chunk) = planned.next_if(|chunk| chunk.index == index) {
                sequence.advance(chunk.count);
            }
            if sequence.pending() > 0 {
                self.scheduler.running.push(sequence);
            } else {
                self.branch_off(sequence, &mut sampled)?;
            }
        }
        Ok(())
    }

    /// Gives each branch that grows from a fully computed sequence its next token.
    fn branch_off(
        &mut self,
        parent: Sequence,
        sampled: &mut impl Iterator<Item = Sampled>,
    ) -> Result<(), StepError> {
        let id = parent.request;
        let live = self.requests.get_mut(&id).expect("only live requests are scheduled");
        if parent.place == Place::Prompt {
            live.prefilled();
        }
        let places: Vec<(usize, usize)> = live.branches_of(parent.place).collect();
        let mut parent = Some(parent);
        for (i, &(variant, branch)) in places.iter().enumerate() {
            let sampled = sampled.next().expect("one token was sampled for each branch");
            let place = Place::Branch { variant, branch };
            let child = if i + 1 == places.len() {
                let mut last = parent.take().expect("taken once");
                last.place = place;
                last
            } else {
                self.fork(parent.as_ref().expect("taken last"), place)?
            };
            self.grow(child, variant, branch, sampled);
        }
        let mut variants: Vec<usize> = places.into_iter().map(|(variant, _)| variant).collect();
        variants.dedup();
        self.undecided.extend(variants.into_iter().map(|variant| (id, variant)));
        Ok(())
    }

    /// Lets the guides choose whose last branch is done.
    fn decide(&mut self) {
        for (id, variant) in std::mem::take(&mut self.undecided) {
            self.select_if_done(id, variant);
        }
    }

    fn fork(&mut self, parent: &Sequence, place: Place) -> Result<Sequence, StepError> {
        let Ok((child, copy)) = parent.fork(place) else {
            return Ok(parent.fork_uncomputed(place, self.scheduler.pool().empty_table()));
        };
        if let Some(copy) = copy {
            self.model.copy_block(copy.from, copy.to)?;
        }
        Ok(child)
    }

    fn grow(&mut self, mut branch: Sequence, variant: usize, index: usize, sampled: Sampled) {
        let live = self.requests.get_mut(&branch.request).expect("only live requests are scheduled");
        branch.tokens.push(sampled.token);
        let full = branch.generated().len() >= live.tokens_max();
        match live.advance(variant, index, sampled, full) {
            Progress::More => self.scheduler.run(branch),
            Progress::Done => self.scheduler.park(branch),
        }
    }

    /// When the variant's last branch is done: the next stretch, or the variant's end.
    fn select_if_done(&mut self, id: u64, variant: usize) {
        // A request may have ended meanwhile.
        let Some(live) = self.requests.get_mut(&id) else { return };
        let Some(selection) = live.select(variant) else { return };
        let reason = match selection {
            Selection::Continue { branch, keep, forced } => {
                let mut stem = self.scheduler.unpark(id, variant, branch);
                stem.continue_as_stem(variant, keep, &forced);
                if stem.generated().len() < live.tokens_max() {
                    self.scheduler.run(stem);
                    return;
                }
                FinishReason::Length
            }
            Selection::Finish => FinishReason::Guide,
        };
        self.scheduler.drop_parked(id, variant);
        self.scheduler.release_lanes(live.finish(variant, reason));
        if live.open_lanes() == 0 {
            self.requests.remove(&id);
        }
    }

    fn count(&mut self, plan: &[Chunk], started: Instant) {
        let stats = &self.shared.stats;
        stats.steps.add(1);
        stats.step_tokens.add(plan.iter().map(|chunk| chunk.count as u64).sum());
        stats.step_time_us.add(started.elapsed().as_micros() as u64);
        stats.preemptions.add(std::mem::take(&mut self.scheduler.preemptions));
        self.gauge();
    }

    fn gauge(&self) {
        let stats = &self.shared.stats;
        stats.running.set(self.scheduler.lanes() as u64);
        let blocks = self.scheduler.pool().counts();
        stats.blocks_free.set(blocks.free as u64);
        stats.blocks_idle.set(blocks.idle as u64);
        stats.blocks_held.set(blocks.held as u64);
    }
}

#[cfg(test)]
mod tests;

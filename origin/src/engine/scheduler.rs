//! Chooses what the next step computes. It knows no tensors, no clock and no I/O.
//!
//! Continuous batching (Orca; Yu et al. 2022) with chunked prefill: a step first carries every running sequence one token
//! on, then fills what is left of its token budget with prefill chunks, oldest request first. Out of blocks, it takes back
//! the blocks of parked branches, then preempts the youngest running sequence, which is computed again later.

use std::collections::VecDeque;

use super::blocks::{BlockPool, Prefixes};
use super::limits::EngineLimits;
use super::sequence::{Place, Sequence};
use crate::backend::batch::BLOCK_TOKENS;

/// `count` tokens of the `index`-th running sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) index: usize,
    pub(super) count: usize,
}

/// A prompt in the queue, and the branches it will fork into.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) prompt: Sequence,
    pub(super) lanes: usize,
}

/// Every sequence, by what may happen to it next.
#[derive(Debug)]
pub(super) struct Scheduler {
    limits: EngineLimits,
    pool: BlockPool,
    /// Prompts not yet admitted, oldest first.
    queue: VecDeque<Queued>,
    /// Admitted sequences without blocks, oldest first.
    preempted: VecDeque<Sequence>,
    /// Sequences with tokens to compute and blocks to compute them in.
    pub(super) running: Vec<Sequence>,
    /// Branches that wait for their variant's others.
    parked: Vec<Sequence>,
    /// Branches of all admitted variants, forked already or not.
    lanes: usize,
    /// Sequences preempted and not yet counted elsewhere.
    pub(super) preemptions: u64,
}

impl Scheduler {
    pub(super) fn new(limits: EngineLimits, prefixes: Prefixes) -> Self {
        Self {
            limits,
            pool: BlockPool::new(limits.blocks, prefixes),
            queue: VecDeque::new(),
            preempted: VecDeque::new(),
            running: Vec::new(),
            parked: Vec::new(),
            lanes: 0,
            preemptions: 0,
        }
    }

    pub(super) fn pool(&self) -> &BlockPool {
        &self.pool
    }

    pub(super) fn lanes(&self) -> usize {
        self.lanes
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.preempted.is_empty() && self.running.is_empty()
    }

    pub(super) fn enqueue(&mut self, queued: Queued) {
        self.queue.push_back(queued);
    }

    /// Takes up a sequence that has tokens to compute.
    pub(super) fn run(&mut self, sequence: Sequence) {
        if sequence.computed == 0 {
            self.preempted.push_back(sequence);
        } else {
            self.running.push(sequence);
        }
    }

    pub(super) fn park(&mut self, branch: Sequence) {
        self.parked.push(branch);
    }

    /// Ends a stretch: returns the chosen branch and drops the variant's others.
    pub(super) fn unpark(&mut self, request: u64, variant: usize, branch: usize) -> Sequence {
        let place = Place::Branch { variant, branch };
        let chosen = self
            .parked
            .iter()
            .position(|parked| parked.request == request && parked.place == place)
            .expect("a variant selects among its own parked branches");
        let chosen = self.parked.swap_remove(chosen);
        self.drop_parked(request, variant);
        chosen
    }

    /// Drops the variant's parked branches.
    pub(super) fn drop_parked(&mut self, request: u64, variant: usize) {
        self.parked.retain(|parked| parked.request != request || parked.place.variant() != Some(variant));
    }

    /// Frees a finished variant's lanes.
    pub(super) fn release_lanes(&mut self, count: usize) {
        self.lanes -= count;
    }

    /// Drops everything of a request. Its lanes are released by the caller.
    pub(super) fn remove(&mut self, request: u64) {
        self.queue.retain(|queued| queued.prompt.request != request);
        self.preempted.retain(|sequence| sequence.request != request);
        self.running.retain(|sequence| sequence.request != request);
        self.parked.retain(|sequence| sequence.request != request);
    }

    /// What the next step computes, and the requests that were admitted for it with their cached prompt tokens.
    pub(super) fn schedule(&mut self) -> (Vec<Chunk>, Vec<(u64, usize)>) {
        let mut budget = self.limits.batch_tokens_max;
        self.running.sort_by_key(|sequence| (sequence.pending() > 1, sequence.request));
        let mut plan = self.plan_running(&mut budget);
        let mut admitted = Vec::new();
        while budget > 0 {
            let Some(next) = self.take_up(plan.is_empty()) else { break };
            if next.place == Place::Prompt && next.tokens.len() == next.prompt_count {
                admitted.push((next.request, next.computed));
            }
            let count = next.pending().min(budget);
            budget -= count;
            plan.push(Chunk { index: self.running.len(), count });
            self.running.push(next);
        }
        (plan, admitted)
    }

    fn plan_running(&mut self, budget: &mut usize) -> Vec<Chunk> {
        let mut plan = Vec::with_capacity(self.running.len());
        while plan.len() < self.running.len() && *budget > 0 {
            let index = plan.len();
            let sequence = &mut self.running[index];
            let count = sequence.pending().min(*budget);
            if sequence.table.grow_to(sequence.computed + count).is_ok() {
                *budget -= count;
                plan.push(Chunk { index, count });
            } else {
                self.reclaim(index);
            }
        }
        plan
    }

    /// Frees blocks for the running sequence `index`: from a parked branch, else from the youngest sequence that is not
    /// planned yet, which may be itself.
    fn reclaim(&mut self, index: usize) {
        if self.reclaim_parked() {
            return;
        }
        let youngest = (index..self.running.len())
            .max_by_key(|&i| (self.running[i].request, i))
            .expect("`index` itself is running");
        let mut sequence = self.running.remove(youngest);
        sequence.forget();
        self.preemptions += 1;
        self.preempted.push_front(sequence);
    }

    fn reclaim_parked(&mut self) -> bool {
        let holders = self.parked.iter_mut().filter(|branch| branch.computed > 0);
        let Some(youngest) = holders.max_by_key(|branch| branch.request) else { return false };
        youngest.forget();
        true
    }

    /// The next sequence that gets blocks for all its tokens: a preempted one before a queued one. When nothing else can
    /// run, parked branches give up theirs.
    fn take_up(&mut self, nothing_runs: bool) -> Option<Sequence> {
        loop {
            let preempted = self.preempted.front().is_some();
            let fits = match (self.preempted.front_mut(), self.queue.front_mut()) {
                (Some(sequence), _) => place_in(&self.pool, sequence),
                (None, Some(queued)) => {
                    self.lanes + queued.lanes <= self.limits.sequences_max
                        && place_in(&self.pool, &mut queued.prompt)
                }
                (None, None) => return None,
            };
            if fits && preempted {
                return self.preempted.pop_front();
            }
            if fits {
                let queued = self.queue.pop_front()?;
                self.lanes += queued.lanes;
                return Some(queued.prompt);
            }
            if !(nothing_runs && self.reclaim_parked()) {
                return None;
            }
        }
    }
}

/// Finds the sequence's cached prefix and takes blocks for the rest, all or nothing.
fn place_in(pool: &BlockPool, sequence: &mut Sequence) -> bool {
    sequence.table = pool.find_prefix(&sequence.hashes, &sequence.tokens);
    let found = sequence.table.blocks().len();
    let needed = sequence.tokens.len().div_ceil(BLOCK_TOKENS) - found;
    if needed > pool.available() || sequence.table.grow_to(sequence.tokens.len()).is_err() {
        sequence.forget();
        return false;
    }
    sequence.computed = found * BLOCK_TOKENS;
    sequence.published = found;
    true
}

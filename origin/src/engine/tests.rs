//! The engine over a small random model on the CPU.

mod device;
mod fleet;
mod restart;

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use super::guide::{Guide, Progress, Sampling, Selection};
use super::handle::EngineThread;
use super::limits::EngineLimits;
use super::request::{AbortReason, Event, FinishReason, Generation, Request, SubmitError};
use super::*;
use crate::backend::cpu::Cpu;
use crate::backend::sampling::{SampleParams, Sampled};
use crate::model::config::{ModelConfig, Rope, RopeScaling};
use crate::model::random::WeightFormat;

const LIMITS: EngineLimits =
    EngineLimits { queue_max: 8, sequences_max: 8, batch_tokens_max: 64, context_max: 256, blocks: 64 };

fn start(limits: EngineLimits) -> (Handle, EngineThread) {
    let model = move || model(Cpu::new(NonZeroUsize::MIN), limits);
    let reload = move || Ok::<_, Infallible>(model());
    Handle::start(0, model(), limits, Restarts::default(), reload).expect("a thread")
}

fn model<B: Backend>(backend: B, limits: EngineLimits) -> Llama<B> {
    let config = ModelConfig {
        layers: 2,
        dim: 64,
        heads: 4,
        kv_heads: 2,
        head_dim: 32,
        hidden: 96,
        vocab: 200,
        context_max: 256,
        norm_epsilon: 1e-5,
        rope: Rope { theta: 10_000.0, scaling: RopeScaling::None },
    };
    Llama::from_random(backend, config, 7, WeightFormat::Int8, limits.model()).expect("a small model fits")
}

/// Samples stretches of a fixed length, keeps the likeliest branch of each, and notes what was chosen.
struct Recorder {
    branches: usize,
    stretch: usize,
    stretches: usize,
    forced: Vec<u32>,
    seed: u64,
    grown: Vec<Vec<Sampled>>,
    chosen: Vec<u32>,
    out: std::sync::mpsc::Sender<Vec<u32>>,
}

impl Guide for Recorder {
    fn branches(&self) -> usize {
        self.branches
    }

    fn sampling(&self, branch: usize) -> Sampling<'_> {
        let params = SampleParams { seed: self.seed, stream: branch as u64, ..SampleParams::default() };
        Sampling { params, mask: None }
    }

    fn advance(&mut self, branch: usize, sampled: Sampled) -> Progress {
        self.grown[branch].push(sampled);
        if self.grown[branch].len() == self.stretch { Progress::Done } else { Progress::More }
    }

    fn select(&mut self) -> Selection {
        let likelihood = |branch: &Vec<Sampled>| branch.iter().map(|s| s.log_probability).sum::<f32>();
        let branch = (0..self.branches)
            .max_by(|&a, &b| likelihood(&self.grown[a]).total_cmp(&likelihood(&self.grown[b])))
            .expect("at least one branch");
        self.chosen.extend(self.grown[branch].iter().map(|s| s.token));
        self.grown.iter_mut().for_each(Vec::clear);
        self.stretches -= 1;
        if self.stretches == 0 {
            self.out.send(self.chosen.clone()).expect("the test listens");
            return Selection::Finish;
        }
        self.chosen.extend(&self.forced);
        Selection::Continue { branch, keep: self.stretch, forced: self.forced.clone() }
    }
}

fn recorder(seed: u64, branches: usize) -> (Box<dyn Guide>, std::sync::mpsc::Receiver<Vec<u32>>) {
    let (out, chosen) = std::sync::mpsc::channel();
    let guide = Recorder {
        branches,
        stretch: 9,
        stretches: 3,
        forced: vec![3, 4],
        seed,
        grown: vec![Vec::new(); branches],
        chosen: Vec::new(),
        out,
    };
    (Box::new(guide), chosen)
}

fn prompt(seed: u32, length: u32) -> Vec<u32> {
    (0..length).map(|i| (i * 7 + seed * 13) % 200).collect()
}

fn request(prompt: Vec<u32>, guides: Vec<Box<dyn Guide>>) -> Request {
    let deadline = Instant::now() + Duration::from_mins(1);
    Request { prompt, tokens_max: 48, salt: b"tenant".to_vec(), guides, deadline }
}

fn events(mut generation: Generation) -> Vec<Event> {
    std::iter::from_fn(|| generation.next_blocking()).collect()
}

/// What a request alone on a roomy engine writes.
fn alone(seed: u64, prompt: Vec<u32>, branches: usize) -> Vec<u32> {
    let (handle, _) = start(LIMITS);
    let (guide, chosen) = recorder(seed, branches);
    let generation = handle.submit(request(prompt, vec![guide])).expect("room");
    events(generation);
    chosen.recv().expect("the variant finishes")
}

/// What six requests write beside one another.
fn together(limits: EngineLimits) -> Vec<Vec<u32>> {
    let (handle, _) = start(limits);
    let running: Vec<_> = (0..6)
        .map(|i| {
            let (guide, chosen) = recorder(u64::from(i), 2);
            (handle.submit(request(prompt(i, 20 + 11 * i), vec![guide])).expect("room"), chosen)
        })
        .collect();
    running
        .into_iter()
        .map(|(generation, chosen)| {
            assert!(matches!(events(generation).last(), Some(Event::Complete { .. })));
            chosen.recv().expect("the variant finishes")
        })
        .collect()
}

fn expected() -> Vec<Vec<u32>> {
    (0..6).map(|i| alone(u64::from(i), prompt(i, 20 + 11 * i), 2)).collect()
}

#[test]
fn a_seed_gives_the_same_tokens_whatever_else_is_in_the_batch() {
    assert_eq!(together(LIMITS), expected());
}

#[test]
fn a_seed_gives_the_same_tokens_in_small_steps() {
    assert_eq!(together(EngineLimits { batch_tokens_max: 5, ..LIMITS }), expected());
}

#[test]
fn a_seed_gives_the_same_tokens_when_sequences_are_preempted() {
    let tight = EngineLimits { blocks: 9, ..LIMITS };
    let (handle, _) = start(tight);
    let running: Vec<_> = (0..4)
        .map(|i| {
            let (guide, chosen) = recorder(u64::from(i), 2);
            (handle.submit(request(prompt(i, 20 + 11 * i), vec![guide])).expect("room"), chosen)
        })
        .collect();
    for (i, (generation, chosen)) in running.into_iter().enumerate() {
        events(generation);
        assert_eq!(chosen.recv().expect("the variant finishes"), expected()[i]);
    }
    assert!(handle.stats().preemptions.get() > 0, "the pool is too small for four at once");
}

#[test]
fn forced_tokens_stand_between_stretches() {
    let chosen = alone(1, prompt(1, 30), 3);
    assert_eq!(chosen.len(), 3 * 9 + 2 * 2);
    assert_eq!((&chosen[9..11], &chosen[20..22]), (&[3, 4][..], &[3, 4][..]));
}

#[test]
fn variants_share_their_prompt_and_finish_one_by_one() {
    let (handle, _) = start(LIMITS);
    let (guides, chosen): (Vec<_>, Vec<_>) = (0..4).map(|seed| recorder(seed, 2)).unzip();
    let told = events(handle.submit(request(prompt(0, 50), guides)).expect("room"));
    let finished = told.iter().filter(|e| matches!(e, Event::Finished { reason: FinishReason::Guide, .. }));
    assert_eq!(finished.count(), 4);
    assert!(matches!(told.last(), Some(Event::Complete { sampled_tokens: 216, .. })), "{told:?}");
    assert_eq!(handle.stats().sampled_tokens.get(), 216);
    for (seed, chosen) in chosen.into_iter().enumerate() {
        assert_eq!(chosen.recv().expect("finished"), alone(seed as u64, prompt(0, 50), 2));
    }
}

#[test]
fn a_second_equal_prompt_finds_the_first_ones_blocks() {
    let (handle, _) = start(LIMITS);
    let cached = |salt: &[u8]| {
        let (guide, _chosen) = recorder(1, 1);
        let request = Request { salt: salt.to_vec(), ..request(prompt(1, 50), vec![guide]) };
        let told = events(handle.submit(request).expect("room"));
        let Some(Event::Admitted { cached_tokens, .. }) = told.first() else { panic!("{told:?}") };
        *cached_tokens
    };
    assert_eq!((cached(b"a"), cached(b"a"), cached(b"b")), (0, 48, 0));
}

#[test]
fn a_variant_stops_at_the_requests_token_limit() {
    let (handle, _) = start(LIMITS);
    let (guide, _chosen) = recorder(1, 1);
    let request = Request { tokens_max: 12, ..request(prompt(1, 20), vec![guide]) };
    let told = events(handle.submit(request).expect("room"));
    assert!(told.contains(&Event::Finished { variant: 0, reason: FinishReason::Length }), "{told:?}");
}

#[test]
fn a_request_is_taken_at_the_context_limit_and_refused_one_past_it() {
    let (handle, _) = start(LIMITS);
    let with_prompt = |length| handle.submit(request(prompt(1, length), vec![recorder(1, 1).0]));
    assert!(with_prompt(256 - 48).is_ok());
    assert_eq!(
        with_prompt(256 - 47).expect_err("too long"),
        SubmitError::TooLong { needed: 257, limit: 256 }
    );
}

#[test]
fn a_request_is_taken_at_the_limit_of_sequences_and_refused_one_past_it() {
    let (handle, _) = start(LIMITS);
    let with_branches = |branches| handle.submit(request(prompt(1, 20), vec![recorder(1, branches).0]));
    assert!(with_branches(8).is_ok());
    assert_eq!(with_branches(9).expect_err("too wide"), SubmitError::TooWide { needed: 9, limit: 8 });
}

/// Never done: it holds its lanes until the request ends.
struct Endless;

impl Guide for Endless {
    fn branches(&self) -> usize {
        8
    }
    fn sampling(&self, _branch: usize) -> Sampling<'_> {
        Sampling { params: SampleParams::default(), mask: None }
    }
    fn advance(&mut self, _branch: usize, _sampled: Sampled) -> Progress {
        Progress::Done
    }
    fn select(&mut self) -> Selection {
        Selection::Continue { branch: 0, keep: 0, forced: Vec::new() }
    }
}

fn endless(deadline: Duration) -> Request {
    Request { deadline: Instant::now() + deadline, ..request(prompt(1, 20), vec![Box::new(Endless)]) }
}

/// Waits for the engine's thread; it counts blocks after each step.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < patience, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn the_queue_takes_its_limit_and_not_one_more() {
    let (handle, _) = start(LIMITS);
    let _busy = handle.submit(endless(Duration::from_mins(1))).expect("room");
    eventually("the first request runs", || handle.stats().waiting.get() == 0);
    let waiting: Vec<_> =
        (0..8).map(|_| handle.submit(endless(Duration::from_mins(1))).expect("room in the queue")).collect();
    let refused = handle.submit(endless(Duration::from_mins(1))).expect_err("the queue is full");
    assert_eq!(refused, SubmitError::Overloaded(8));
    drop(waiting);
    eventually("the queue is empty again", || handle.stats().waiting.get() == 0);
}

#[test]
fn a_deadline_ends_a_request() {
    let (handle, _) = start(LIMITS);
    let told = events(handle.submit(endless(Duration::from_millis(50))).expect("room"));
    assert_eq!(told.last(), Some(&Event::Aborted(AbortReason::Deadline)));
}

#[test]
fn dropping_a_generation_frees_its_blocks_and_lanes() {
    let (handle, _) = start(LIMITS);
    let busy = handle.submit(endless(Duration::from_mins(1))).expect("room");
    eventually("it runs", || handle.stats().running.get() == 8);
    drop(busy);
    let (guide, chosen) = recorder(5, 8);
    let told = events(handle.submit(request(prompt(2, 20), vec![guide])).expect("room"));
    assert!(matches!(told.last(), Some(Event::Complete { .. })));
    chosen.recv().expect("finished");
    eventually("no block is held", || handle.stats().blocks_held.get() == 0);
}

#[test]
fn the_engine_ends_when_its_last_handle_is_dropped() {
    let (handle, thread) = start(LIMITS);
    let (guide, chosen) = recorder(1, 1);
    let generation = handle.submit(request(prompt(1, 20), vec![guide])).expect("room");
    drop(handle);
    assert!(matches!(events(generation).last(), Some(Event::Complete { .. })));
    chosen.recv().expect("what was taken is finished");
    assert_eq!(thread.join().expect("the engine does not panic"), Ok(()));
}

//! A request inside the engine.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::blocks::ChainHash;
use super::guide::{Guide, Progress, Sampling, Selection};
use super::request::{Cancellation, Event, FinishReason, Request};
use super::sequence::Place;
use crate::backend::sampling::Sampled;

/// What a handle sends to the engine's thread.
pub(super) struct Submission {
    pub(super) request: Request,
    /// Names of the prompt's full blocks.
    pub(super) hashes: Vec<ChainHash>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) cancelled: Cancellation,
    pub(super) at: Instant,
}

/// An accepted request: its variants, and where it is in its life.
pub(super) struct LiveRequest {
    variants: Vec<Variant>,
    prompt_count: usize,
    tokens_max: usize,
    deadline: Instant,
    events: mpsc::UnboundedSender<Event>,
    cancelled: Cancellation,
    submitted: Instant,
    admitted: Option<Instant>,
    prefilled: Option<Instant>,
    sampled_tokens: usize,
}

/// A guide, and how many branches of its stretch are not done; `None` when the variant has ended.
struct Variant {
    guide: Box<dyn Guide>,
    branches: usize,
    undone: Option<usize>,
}

impl LiveRequest {
    /// The request without its prompt and the names of its blocks, which follow.
    pub(super) fn new(submission: Submission) -> (Self, Vec<u32>, Vec<ChainHash>) {
        let Submission { request, hashes, events, cancelled, at } = submission;
        let Request { prompt, tokens_max, salt: _, guides, deadline } = request;
        let variants = guides
            .into_iter()
            .map(|guide| {
                let branches = guide.branches();
                Variant { guide, branches, undone: Some(branches) }
            })
            .collect();
        let live = Self {
            variants,
            prompt_count: prompt.len(),
            tokens_max,
            deadline,
            events,
            cancelled,
            submitted: at,
            admitted: None,
            prefilled: None,
            sampled_tokens: 0,
        };
        (live, prompt, hashes)
    }

    pub(super) fn prompt_count(&self) -> usize {
        self.prompt_count
    }

    pub(super) fn tokens_max(&self) -> usize {
        self.tokens_max
    }

    /// Branches of all variants.
    pub(super) fn lanes(&self) -> usize {
        self.variants.iter().map(|variant| variant.branches).sum()
    }

    /// Branches of the variants that have not ended.
    pub(super) fn open_lanes(&self) -> usize {
        self.variants.iter().filter(|variant| variant.undone.is_some()).map(|variant| variant.branches).sum()
    }

    pub(super) fn is_admitted(&self) -> bool {
        self.admitted.is_some()
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.is_set()
    }

    /// Whether its time is up.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        now >= self.deadline
    }

    pub(super) fn tell(&self, event: Event) {
        // A receiver that is gone has set `cancelled`; the request is retired before the next step.
        let _ = self.events.send(event);
    }

    pub(super) fn admit(&mut self, cached_tokens: usize) {
        let now = Instant::now();
        self.admitted = Some(now);
        self.tell(Event::Admitted { queued: now - self.submitted, cached_tokens });
    }

    pub(super) fn prefilled(&mut self) {
        let now = Instant::now();
        self.prefilled = Some(now);
        self.tell(Event::Prefilled { took: self.admitted.map_or(Duration::ZERO, |at| now - at) });
    }

    /// The branches that grow from a sequence at this place, as (variant, branch).
    pub(super) fn branches_of(&self, place: Place) -> impl Iterator<Item = (usize, usize)> {
        let (variants, branch) = match place {
            Place::Prompt => (0..self.variants.len(), None),
            Place::Stem { variant } => (variant..variant + 1, None),
            Place::Branch { variant, branch } => (variant..variant + 1, Some(branch)),
        };
        variants.flat_map(move |variant| {
            let branches = branch.map_or(0..self.variants[variant].branches, |branch| branch..branch + 1);
            branches.map(move |branch| (variant, branch))
        })
    }

    pub(super) fn sampling(&self, variant: usize, branch: usize) -> Sampling<'_> {
        self.variants[variant].guide.sampling(branch)
    }

    /// Shows a token to its guide. A branch that is `full` is done whatever the guide says.
    pub(super) fn advance(
        &mut self,
        variant: usize,
        branch: usize,
        sampled: Sampled,
        full: bool,
    ) -> Progress {
        self.sampled_tokens += 1;
        let variant = &mut self.variants[variant];
        let progress = variant.guide.advance(branch, sampled);
        if progress == Progress::More && !full {
            return Progress::More;
        }
        let undone = variant.undone.as_mut().expect("a branch of an open variant");
        *undone -= 1;
        Progress::Done
    }

    /// The guide's choice, once every branch is done.
    pub(super) fn select(&mut self, variant: usize) -> Option<Selection> {
        let variant = &mut self.variants[variant];
        if variant.undone != Some(0) {
            return None;
        }
        variant.undone = Some(variant.branches);
        Some(variant.guide.select())
    }

    /// Ends a variant; returns the lanes it held.
    pub(super) fn finish(&mut self, variant: usize, reason: FinishReason) -> usize {
        self.variants[variant].undone = None;
        self.tell(Event::Finished { variant, reason });
        if self.open_lanes() == 0 {
            let decoded = self.prefilled.map_or(Duration::ZERO, |at| at.elapsed());
            self.tell(Event::Complete { decoded, sampled_tokens: self.sampled_tokens });
        }
        self.variants[variant].branches
    }
}

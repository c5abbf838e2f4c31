//! Writes one variant line by line: forces each field's name, lets branches write the text, and keeps the best of them.
//!
//! A long field is written sentence by sentence, so that a fault costs a sentence and not a text, and so that what was
//! accepted can be shown at once. A stretch whose every branch is faulty is written again a bounded number of times; then
//! the least faulty one is taken, or the line ends before it where that is better. What a channel guarantees is never
//! left to chance: a line is cut at its limit.

use std::sync::Arc;

use adlib_shared::text;
use tokio::sync::mpsc;

use super::finished::Finished;
use super::judge::{Accepted, Draft, Judge, Verdict, trim_unfinished};
use super::plan::Line;
use super::stretch::{Bounds, End, Stretch};
use super::vocabulary::{Mask, Vocabulary};
use crate::backend::sampling::{SampleParams, Sampled};
use crate::engine::guide::{Guide, Progress, Sampling, Selection};

#[cfg(test)]
mod tests;

/// Times that a stretch is written before its least faulty branch is taken.
pub const ATTEMPTS_MAX: u32 = 4;

/// Attempt from which on a required term that is still missing opens the stretch.
const FORCE_TERM_FROM: u32 = ATTEMPTS_MAX - 2;

/// Nucleus of the distribution that is sampled from (Holtzman et al. 2020).
const TOP_P: f32 = 0.9;

/// CTRL's penalty on tokens that the copy already holds (Keskar et al. 2019).
const REPETITION_PENALTY: f32 = 1.1;

/// What a guide tells as it writes. Bounded by the plan: at most one for each stretch and one at the end.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// A piece of a line was accepted.
    Text {
        /// The guide's variant.
        variant: usize,
        /// Index into the plan's lines.
        line: usize,
        /// What was added to the line.
        text: String,
    },
    /// Every line is written.
    Variant {
        /// The guide's variant.
        variant: usize,
        /// The texts, one a line of the plan.
        texts: Vec<String>,
        /// Mean log-probability of the chosen tokens.
        likelihood: f32,
    },
}

/// What the guides of one brief share.
pub struct Assignment {
    /// The lines to write.
    pub lines: Vec<Line>,
    /// Knows the brief, and judges texts against it.
    pub judge: Judge,
    /// Temperature of the middle branch.
    pub temperature: f32,
    /// Key of the generator.
    pub seed: u64,
    /// Branches of every stretch.
    pub branches: usize,
}

/// The guide of one variant.
pub struct LineGuide {
    assignment: Arc<Assignment>,
    vocabulary: Arc<Vocabulary>,
    variant: usize,
    /// Separates the generator's streams of repeated tries at the same variant.
    round: u32,
    out: mpsc::UnboundedSender<Written>,
    finished: Finished,
    /// What is accepted of the current line, as the tokens behind its name spell it: with the space in front.
    accepted: String,
    /// How much of the current line's text was told.
    told: usize,
    branches: Vec<Stretch>,
    attempt: u32,
    /// The best faulty choice of earlier attempts at this stretch.
    fallback: Option<Choice>,
    masks: [Mask; 2],
    log_probability: f32,
    sampled: usize,
}

/// A way to go on.
#[derive(Debug, Clone)]
struct Choice {
    verdict: Verdict,
    /// The line with this stretch, as its tokens spell it.
    spelled: String,
    ends_line: bool,
    /// The branch, while its tokens are still in the KV cache.
    branch: Option<usize>,
    /// The branch's tokens that stay.
    tokens: Vec<u32>,
    /// What `tokens` lack of `spelled`, to be encoded anew.
    tail: String,
    log_probability: f32,
    sampled: usize,
}

impl LineGuide {
    /// A guide at the beginning of the copy, and the text that must follow the prompt before its first token.
    pub fn new(
        assignment: Arc<Assignment>,
        vocabulary: Arc<Vocabulary>,
        variant: usize,
        round: u32,
        out: mpsc::UnboundedSender<Written>,
    ) -> Self {
        let masks = masks(&vocabulary, &assignment.lines[0]);
        let branches = vec![Stretch::default(); assignment.branches];
        Self {
            assignment,
            vocabulary,
            variant,
            round,
            out,
            finished: Finished::default(),
            accepted: String::new(),
            told: 0,
            branches,
            attempt: 0,
            fallback: None,
            masks,
            log_probability: 0.0,
            sampled: 0,
        }
    }

    fn line(&self) -> &Line {
        &self.assignment.lines[self.finished.len()]
    }

    fn bounds(&self) -> Bounds {
        let line = self.line();
        let unit = line.field.unit;
        // The line's first space is not part of its text.
        let room = line.limit.saturating_sub(unit.count(self.accepted.trim_start()));
        Bounds { unit, room: room + usize::from(self.accepted.is_empty()), by_sentence: line.is_long() }
    }

    /// The best branch of this attempt.
    fn best(&self) -> Choice {
        let accepted = self.accepted();
        (0..self.branches.len())
            .map(|branch| self.chosen(&self.branches[branch], branch, &accepted))
            .max_by(|a, b| a.verdict.value().total_cmp(&b.verdict.value()))
            .expect("a guide has branches")
    }

    fn accepted(&self) -> Accepted {
        self.assignment.judge.accepted(display(self.line(), &self.accepted))
    }

    /// What it means to go on with a stretch that a branch wrote.
    fn chosen(&self, stretch: &Stretch, branch: usize, accepted: &Accepted) -> Choice {
        let line = self.line();
        let written = stretch.text();
        let mut spelled = format!("{}{written}", self.accepted);
        let end = stretch.end.unwrap_or(End::Unfinished);
        let mut cut = false;
        if end == End::Overlong {
            if self.may_stop_here() {
                spelled.truncate(self.accepted.len());
            } else {
                let space = spelled.len() - spelled.trim_start().len();
                let english = self.assignment.judge.brief().language.is_english();
                let fits = line.field.unit.truncate_at_word(&spelled[space..], line.limit);
                spelled.truncate(space + trim_unfinished(fits, english).len());
                cut = true;
            }
        }
        let kept = spelled.len().saturating_sub(self.accepted.len());
        let (count, covered) = stretch.tokens_within(kept, &self.vocabulary);
        // What adds nothing cannot be gone on from: the next stretch would begin where this one did.
        let over = matches!(end, End::Line | End::Overlong);
        let ends_line = over || kept == 0;
        cut |= end == End::Broken || (kept == 0 && !over);
        let mean = stretch.log_probability / stretch.sampled.max(1) as f32;
        let draft = Draft {
            lines: &self.assignment.lines,
            before: &self.finished,
            text: &display(line, &spelled),
            accepted,
            ends_line,
            cut,
        };
        Choice {
            verdict: self.assignment.judge.judge(&draft, mean),
            ends_line,
            branch: Some(branch),
            tokens: stretch.tokens[..count].to_vec(),
            tail: written[covered..kept.max(covered)].to_owned(),
            log_probability: stretch.log_probability,
            sampled: stretch.sampled,
            spelled,
        }
    }

    /// The line ends with what is accepted of it.
    fn ending(&self) -> Choice {
        let mut nothing = Stretch::default();
        nothing.end = Some(End::Line);
        Choice { branch: None, ..self.chosen(&nothing, 0, &self.accepted()) }
    }

    /// Whether the line is good as far as it is accepted.
    fn may_stop_here(&self) -> bool {
        let line = self.line();
        let text = self.accepted.trim();
        let long_enough = line.field.unit.count(text) >= line.field.length_min.max(1);
        line.is_long() && long_enough && text.ends_with(['.', '!', '?', '"', ')'])
    }

    /// Another try at the same stretch; the last ones begin with a required term that is missing.
    fn try_again(&mut self) -> Selection {
        self.attempt += 1;
        let mut forced = Vec::new();
        let folded = text::fold(&self.accepted);
        let missing = self.assignment.judge.missing_term(self.line(), &self.finished, &folded);
        if let Some(term) = missing.filter(|_| self.attempt >= FORCE_TERM_FROM) {
            let opening = format!(" {term}");
            if self.line().field.unit.count(&opening) <= self.bounds().room {
                forced = self.encode(&opening);
                self.accepted.push_str(&opening);
                self.fallback = None;
            }
        }
        self.begin_stretch();
        Selection::Continue { branch: 0, keep: 0, forced }
    }

    /// Accepts a choice and says how to go on from it.
    fn accept(&mut self, choice: Choice) -> Selection {
        self.attempt = 0;
        self.fallback = None;
        self.log_probability += choice.log_probability;
        self.sampled += choice.sampled;
        self.accepted = choice.spelled;
        self.tell_accepted();
        let mut following = choice.tail;
        if choice.ends_line {
            let text = display(self.line(), &self.accepted);
            self.end_line(text);
            let Some(opening) = self.open_next_line() else {
                self.tell_end();
                return Selection::Finish;
            };
            following.push_str(&opening);
        }
        self.begin_stretch();
        let (branch, keep, mut forced) = match choice.branch {
            Some(branch) => (branch, choice.tokens.len(), Vec::new()),
            None => (0, 0, choice.tokens),
        };
        forced.extend(self.encode(&following));
        Selection::Continue { branch, keep, forced }
    }

    fn end_line(&mut self, text: String) {
        self.finished.push(text);
        self.accepted.clear();
        self.told = 0;
    }

    /// The line break and the name of the next line that is to be written; lines that the brief gives are passed over.
    fn open_next_line(&mut self) -> Option<String> {
        let mut opening = String::new();
        while let Some(line) = self.assignment.lines.get(self.finished.len()) {
            opening.push('\n');
            opening.push_str(line.field.name);
            opening.push(':');
            let Some(given) = line.given.clone() else {
                self.masks = masks(&self.vocabulary, line);
                return Some(opening);
            };
            opening.push(' ');
            opening.push_str(&given);
            self.accepted.clone_from(&given);
            self.tell_accepted();
            self.end_line(given);
        }
        None
    }

    fn begin_stretch(&mut self) {
        self.branches.fill(Stretch::default());
    }

    fn encode(&self, text: &str) -> Vec<u32> {
        if text.is_empty() { Vec::new() } else { self.vocabulary.tokenizer().encode(text, false) }
    }

    fn tell_accepted(&mut self) {
        let line = self.finished.len();
        let text = display(self.line(), &self.accepted);
        let Some(news) = text.get(self.told..).filter(|news| !news.is_empty()) else { return };
        // Nobody listens when the client has gone; the engine drops the request before its next step.
        let _ = self.out.send(Written::Text { variant: self.variant, line, text: news.to_owned() });
        self.told = text.len();
    }

    fn tell_end(&self) {
        let likelihood = self.log_probability / self.sampled.max(1) as f32;
        let texts = self.finished.texts().to_vec();
        let _ = self.out.send(Written::Variant { variant: self.variant, texts, likelihood });
    }
}

/// A line's text as readers see it: a long field's ` / ` is a line break.
fn display(line: &Line, spelled: &str) -> String {
    if line.is_long() { spelled.trim().replace(" / ", "\n") } else { spelled.trim().to_owned() }
}

/// The masks of a line: while it may not end, and when it may.
fn masks(vocabulary: &Vocabulary, line: &Line) -> [Mask; 2] {
    [false, true].map(|may_end| vocabulary.mask(line.field, may_end))
}

impl Guide for LineGuide {
    fn branches(&self) -> usize {
        self.assignment.branches
    }

    fn sampling(&self, branch: usize) -> Sampling<'_> {
        let line = self.line();
        let text = format!("{}{}", self.accepted, self.branches[branch].text());
        let may_end = line.field.unit.count(text.trim()) >= line.field.length_min.max(1);
        // The first branch is the calmest; later attempts are bolder, so that they differ.
        let spread = 0.8 + 0.15 * branch as f32 + 0.1 * self.attempt as f32;
        let params = SampleParams {
            temperature: self.assignment.temperature * spread,
            top_p: TOP_P,
            repetition_penalty: REPETITION_PENALTY,
            seed: self.assignment.seed,
            stream: stream(self.variant, self.round, self.attempt, branch),
            ..SampleParams::default()
        };
        Sampling { params, mask: Some(&self.masks[usize::from(may_end)]) }
    }

    fn advance(&mut self, branch: usize, sampled: Sampled) -> Progress {
        let bounds = self.bounds();
        let over = self.branches[branch].push(sampled, &self.vocabulary, bounds);
        if over { Progress::Done } else { Progress::More }
    }

    fn select(&mut self) -> Selection {
        let mut best = self.best();
        if best.verdict.is_clean() {
            return self.accept(best);
        }
        if let Some(fallback) = self.fallback.take()
            && fallback.verdict.value() > best.verdict.value()
        {
            best = fallback;
        }
        if self.attempt + 1 < ATTEMPTS_MAX {
            self.fallback = Some(Choice { branch: None, ..best });
            return self.try_again();
        }
        if best.verdict.strays() && self.may_stop_here() {
            let ending = self.ending();
            if ending.verdict.value() > best.verdict.value() {
                best = ending;
            }
        }
        self.accept(best)
    }
}

/// The generator's stream of a branch: no two tries at the same position share one.
fn stream(variant: usize, round: u32, attempt: u32, branch: usize) -> u64 {
    (variant as u64) << 48 | u64::from(round) << 32 | u64::from(attempt) << 16 | branch as u64
}

//! Judges a line while it is written, by the same checks that the finished copy must pass.

use adlib_shared::brief::Brief;
use adlib_shared::check::{self, Checker, Rule, Terms};
use adlib_shared::score::{Doubt, Scorer, Support};
use adlib_shared::text;

use super::finished::Finished;
use super::plan::Line;

#[cfg(test)]
mod tests;

/// Costs of faults, in nats of mean log-probability: what the likelihood of a text must outweigh.
const COST_HARD: f32 = 20.0;
const COST_TERM_MISSING: f32 = 15.0;
const COST_UNFINISHED: f32 = 8.0;
const COST_CUT: f32 = 6.0;
const COST_RECOMMENDED: f32 = 2.0;
const COST_STRAYS: f32 = 2.0;

/// A stretch strays from the brief if it claims this much and less than this share of it stands there.
const STRAY_CLAIMED_MIN: f32 = 4.0;
const STRAY_SHARE: f32 = 0.4;

/// What standing in the brief and not repeating itself are worth, in the same unit.
const WORTH_FAITHFUL: f32 = 3.0;
const WORTH_FRESH: f32 = 4.0;

/// A line as far as it is written, and what stands before it.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The plan.
    pub lines: &'a [Line],
    /// The lines before this one.
    pub before: &'a Finished,
    /// This line's text so far.
    pub text: &'a str,
    /// What of it was accepted before.
    pub accepted: &'a Accepted,
    /// Whether the line ends here.
    pub ends_line: bool,
    /// Whether it was cut at its limit.
    pub cut: bool,
}

/// What of a line was accepted and cannot be changed any more; judged once for all branches that go on from it.
#[derive(Debug, Default)]
pub struct Accepted {
    text: String,
    doubts: f32,
}

impl Draft<'_> {
    /// What the stretch adds to the line.
    fn news(&self) -> &str {
        self.text.strip_prefix(&self.accepted.text).unwrap_or(self.text)
    }
}

/// What a draft is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    faults: f32,
    quality: f32,
    strays: bool,
}

impl Verdict {
    /// Whether nothing is wrong with it.
    pub fn is_clean(self) -> bool {
        self.faults == 0.0
    }

    /// Whether what it adds is mostly not of the brief.
    pub fn strays(self) -> bool {
        self.strays
    }

    /// The greater, the better.
    pub fn value(self) -> f32 {
        self.quality - self.faults
    }
}

/// Knows the brief.
pub struct Judge {
    brief: Brief,
    checker: Checker<'static>,
    scorer: Scorer,
    excluded: Vec<String>,
}

impl Judge {
    /// A judge of copy for this brief.
    pub fn new(brief: Brief) -> Self {
        let excluded = brief.must_exclude.iter().map(|term| text::fold(term)).collect();
        // What the whole copy must hold is not asked of each line; what it must not hold costs more than a check.
        let terms = Terms { source: Some(&brief), ..Terms::default() };
        let checker = Checker::new(brief.channel, terms);
        Self { checker, scorer: Scorer::new(&brief), excluded, brief }
    }

    /// The brief it judges by.
    pub fn brief(&self) -> &Brief {
        &self.brief
    }

    /// Scores finished copies.
    pub fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    /// The accepted part of a line, to judge what goes on from it.
    pub fn accepted(&self, text: String) -> Accepted {
        Accepted { doubts: self.doubts(&text), text }
    }

    /// What the doubtful claims of a text cost.
    fn doubts(&self, text: &str) -> f32 {
        self.scorer.doubts(text).into_iter().map(cost_of_doubt).sum()
    }

    /// Judges a draft; `likelihood` is the mean log-probability of its new tokens.
    pub fn judge(&self, draft: &Draft<'_>, likelihood: f32) -> Verdict {
        let line = &draft.lines[draft.before.len()];
        let folded = text::fold(draft.text);
        let support = self.scorer.support(draft.news());
        let quality = likelihood + WORTH_FAITHFUL * faithfulness(support)
            - WORTH_FRESH * draft.before.trigrams().repetition_with(&folded);
        let strays = support.claimed >= STRAY_CLAIMED_MIN && support.share() < STRAY_SHARE;
        let faults = self.faults(draft, line, &folded) + if strays { COST_STRAYS } else { 0.0 };
        Verdict { faults, quality, strays }
    }

    fn faults(&self, draft: &Draft<'_>, line: &Line, folded: &str) -> f32 {
        let earlier = draft.lines.iter().zip(draft.before.texts());
        let earlier = earlier.filter(|(other, _)| other.field.name == line.field.name);
        let broken = self.checker.broken(line.field, earlier.map(|(_, text)| text.as_str()), draft.text);
        let mut faults: f32 = broken.into_iter().map(|rule| cost(rule, draft.ends_line)).sum();
        if self.excluded.iter().any(|term| text::holds_term(folded, term)) {
            faults += COST_HARD;
        }
        if draft.cut {
            faults += COST_CUT;
        }
        if draft.ends_line && self.missing_term(line, draft.before, folded).is_some() {
            faults += COST_TERM_MISSING;
        }
        // An earlier stretch's doubts are no fault of this one.
        faults + (self.doubts(draft.text) - draft.accepted.doubts).max(0.0)
    }

    /// The first of the line's required terms that stands neither in the lines before nor in its folded text.
    pub fn missing_term<'a>(&self, line: &'a Line, before: &Finished, folded: &str) -> Option<&'a str> {
        line.required.iter().map(String::as_str).find(|term| {
            let term = text::fold(term);
            !before.holds_term(&term) && !text::holds_term(folded, &term)
        })
    }
}

/// What breaking a rule costs; what only a finished line or a finished copy can break costs nothing before.
fn cost(rule: Rule, ends_line: bool) -> f32 {
    match rule {
        Rule::Count | Rule::KnownField | Rule::MustInclude | Rule::LengthShortest => 0.0,
        Rule::LengthMin | Rule::Unfinished if !ends_line => 0.0,
        Rule::Unfinished => COST_UNFINISHED,
        Rule::LengthRecommended => COST_RECOMMENDED,
        _ => COST_HARD,
    }
}

/// The share that stands in the brief, as if the text also held two ordinary words of the usual share: a text that claims
/// nothing is worth less than one that tells of the brief.
fn faithfulness(support: Support) -> f32 {
    const WORDS: f32 = 2.0;
    const USUAL_SHARE: f32 = 0.6;
    (support.stated + WORDS * USUAL_SHARE) / (support.claimed + WORDS)
}

/// What a doubtful claim costs. A garbled name is seldom anything else; "don't wait" denies nothing.
fn cost_of_doubt(doubt: Doubt) -> f32 {
    match doubt {
        Doubt::GarbledName => 5.0,
        Doubt::Name | Doubt::Quantity => 3.0,
        Doubt::Negation => 1.5,
    }
}

/// What remains of a text when the words and marks that cannot end it are taken off its end.
pub fn trim_unfinished(text: &str, english: bool) -> &str {
    let mut text = text;
    loop {
        text = text.trim_end();
        if check::unfinished(text, english).is_none() {
            return text;
        }
        let last = text.char_indices().next_back().map_or(0, |(at, _)| at);
        let word = text.rfind(char::is_whitespace).unwrap_or(0);
        // A mark goes alone, a word as a whole.
        text = if text[last..].starts_with(char::is_alphanumeric) { &text[..word] } else { &text[..last] };
    }
}

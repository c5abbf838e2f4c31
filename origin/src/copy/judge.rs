//! Judges a line while it is written, by the same checks that the finished copy must pass.

use adlib_shared::brief::Brief;
use adlib_shared::check::{self, Rule, Terms};
use adlib_shared::copy::Fields;
use adlib_shared::score::{self, Scorer};
use adlib_shared::text;

use super::plan::Line;

/// Costs of faults, in nats of mean log-probability: what the likelihood of a text must outweigh.
const COST_HARD: f32 = 20.0;
const COST_TERM_MISSING: f32 = 15.0;
const COST_UNFINISHED: f32 = 8.0;
const COST_CUT: f32 = 6.0;
const COST_RECOMMENDED: f32 = 2.0;

/// What standing in the brief and not repeating itself are worth, in the same unit.
const WORTH_FAITHFUL: f32 = 3.0;
const WORTH_FRESH: f32 = 4.0;

/// A line as far as it is written, and what stands before it.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The plan.
    pub lines: &'a [Line],
    /// The texts of the lines before this one.
    pub before: &'a [String],
    /// This line's text so far.
    pub text: &'a str,
    /// Whether the line ends here.
    pub ends_line: bool,
    /// Whether it was cut at its limit.
    pub cut: bool,
}

/// What a draft is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    faults: f32,
    quality: f32,
}

impl Verdict {
    /// Whether nothing is wrong with it.
    pub fn is_clean(self) -> bool {
        self.faults == 0.0
    }

    /// The greater, the better.
    pub fn value(self) -> f32 {
        self.quality - self.faults
    }
}

/// Knows the brief.
pub struct Judge {
    brief: Brief,
    scorer: Scorer,
    excluded: Vec<String>,
}

impl Judge {
    /// A judge of copy for this brief.
    pub fn new(brief: Brief) -> Self {
        let excluded = brief.must_exclude.iter().map(|term| text::fold(term)).collect();
        Self { scorer: Scorer::new(&brief), excluded, brief }
    }

    /// The brief it judges by.
    pub fn brief(&self) -> &Brief {
        &self.brief
    }

    /// Scores finished copies.
    pub fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    /// Judges a draft; `likelihood` is the mean log-probability of its new tokens.
    pub fn judge(&self, draft: &Draft<'_>, likelihood: f32) -> Verdict {
        let line = &draft.lines[draft.before.len()];
        let mut fields = Fields::new();
        for (line, text) in
            draft.lines.iter().zip(draft.before.iter().map(String::as_str).chain([draft.text]))
        {
            fields.push(line.field, text.to_owned());
        }
        let mut this_line = Fields::new();
        this_line.push(line.field, draft.text.to_owned());
        let quality = likelihood + WORTH_FAITHFUL * self.scorer.faithfulness(&this_line)
            - WORTH_FRESH * score::repetition(&fields);
        Verdict { faults: self.faults(draft, line, &fields), quality }
    }

    fn faults(&self, draft: &Draft<'_>, line: &Line, fields: &Fields) -> f32 {
        let path = fields.texts().last().map_or_else(String::new, |(path, _)| path);
        let terms = Terms { source: Some(&self.brief), ..Terms::default() };
        let broken = check::check(self.brief.channel, fields, &terms).into_iter();
        let broken = broken.filter(|check| !check.ok && check.field == path);
        let mut faults: f32 = broken.map(|check| cost(check.rule, draft.ends_line)).sum();
        let folded = text::fold(draft.text);
        if self.excluded.iter().any(|term| text::holds_term(&folded, term)) {
            faults += COST_HARD;
        }
        if draft.cut {
            faults += COST_CUT;
        }
        if draft.ends_line && self.missing_term(line, draft.before, draft.text).is_some() {
            faults += COST_TERM_MISSING;
        }
        faults
    }

    /// The first of the line's required terms that stands neither in the lines before nor in its text.
    pub fn missing_term<'a>(&self, line: &'a Line, before: &[String], text: &str) -> Option<&'a str> {
        line.required.iter().map(String::as_str).find(|term| {
            let term = text::fold(term);
            !before
                .iter()
                .map(String::as_str)
                .chain([text])
                .any(|text| text::holds_term(&text::fold(text), &term))
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

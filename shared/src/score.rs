//! How good a variant is, beyond whether it holds: pure functions of the brief and the texts.
//!
//! None of them judges meaning. They order candidates that already keep every limit, and each is cheap enough to be
//! computed for all of them.

mod content;
mod doubts;
mod readability;
mod similarity;

use serde::{Deserialize, Serialize};

use self::content::Source;
use self::doubts::Claims;
pub use self::doubts::Doubt;
pub use self::readability::readability;
pub use self::similarity::{Trigrams, distinctness, repetition};
use crate::brief::Brief;
use crate::copy::Fields;

/// What each part weighs in the total. They sum to 1; what is true weighs most.
mod weight {
    pub(super) const FAITHFULNESS: f32 = 0.35;
    pub(super) const COVERAGE: f32 = 0.25;
    pub(super) const READABILITY: f32 = 0.10;
    pub(super) const DISTINCTNESS: f32 = 0.15;
    pub(super) const FRESHNESS: f32 = 0.15;
}

/// How good a variant is; every part lies between 0 and 1 and is rounded to a thousandth.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Score {
    /// All parts in one number, by which variants are ranked.
    pub total: f32,
    /// How easily it reads.
    pub readability: f32,
    /// How much of the brief it tells.
    pub coverage: f32,
    /// How much it differs from the other variants.
    pub distinctness: f32,
    /// How much of it stands in the brief.
    #[serde(default)]
    pub faithfulness: f32,
    /// How much of it repeats itself; 0 is best.
    #[serde(default)]
    pub repetition: f32,
}

impl Score {
    /// The score with another distinctness, once it is known which variants stand beside it.
    #[must_use]
    pub fn with_distinctness(self, distinctness: f32) -> Self {
        Self { distinctness: rounded(distinctness), ..self }.totalled()
    }

    fn totalled(self) -> Self {
        let total = weight::FAITHFULNESS * self.faithfulness
            + weight::COVERAGE * self.coverage
            + weight::READABILITY * self.readability
            + weight::DISTINCTNESS * self.distinctness
            + weight::FRESHNESS * (1.0 - self.repetition);
        Self { total: rounded(total), ..self }
    }
}

/// The content of a text, weighted: an ordinary word counts 1, a number, price or name more.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Support {
    /// All of it.
    pub claimed: f32,
    /// What of it stands in the brief.
    pub stated: f32,
}

impl Support {
    /// The share that stands in the brief; all of it where nothing is claimed.
    pub fn share(self) -> f32 {
        if self.claimed == 0.0 { 1.0 } else { self.stated / self.claimed }
    }
}

/// A brief made ready to score many copies.
#[derive(Debug)]
pub struct Scorer {
    source: Source,
    /// Where the copy is English: the words that tell are English words.
    claims: Option<Claims>,
    english: bool,
}

impl Scorer {
    /// Collects the words and facts of the brief.
    pub fn new(brief: &Brief) -> Self {
        let english = brief.language.is_english();
        Self { source: Source::of(brief), claims: english.then(|| Claims::of(brief)), english }
    }

    /// The score of a copy that stands alone: its distinctness is 1.
    pub fn score(&self, fields: &Fields) -> Score {
        let whole: Vec<&str> = fields.iter().flat_map(|(_, texts)| texts).map(String::as_str).collect();
        Score {
            total: 0.0,
            readability: rounded(readability(&whole.join("\n"), self.english)),
            coverage: rounded(self.coverage(fields)),
            distinctness: 1.0,
            faithfulness: rounded(self.faithfulness(fields)),
            repetition: rounded(repetition(fields)),
        }
        .totalled()
    }

    /// The share of the brief's content that the copy tells. The product's name and required terms weigh most.
    pub fn coverage(&self, fields: &Fields) -> f32 {
        self.source.coverage(fields)
    }

    /// The share of the copy's content that stands in the brief. Numbers, prices and names weigh most.
    pub fn faithfulness(&self, fields: &Fields) -> f32 {
        self.source.support(fields.iter().flat_map(|(_, texts)| texts).map(String::as_str)).share()
    }

    /// The claims of one text that the brief does not bear out, an entry each. None are found where the copy is not
    /// English.
    pub fn doubts(&self, text: &str) -> Vec<Doubt> {
        self.claims.as_ref().map_or_else(Vec::new, |claims| claims.doubts(&self.source, text))
    }

    /// How much one text claims and how much of that stands in the brief, weighted in the same way.
    pub fn support(&self, text: &str) -> Support {
        self.source.support([text])
    }
}

fn rounded(value: f32) -> f32 {
    (value.clamp(0.0, 1.0) * 1000.0).round() / 1000.0
}

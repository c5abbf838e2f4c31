//! Verifies any text against a channel and a brief.

mod asked;
mod checker;
pub(crate) mod facts;
mod field_rules;
pub(crate) mod numbers;
mod prices;
mod request;
mod unfinished;

use serde::{Deserialize, Serialize};

pub use self::checker::Checker;
pub use self::request::Request;
use crate::brief::Brief;
use crate::channel::Channel;
use crate::copy::Fields;
use crate::count::Unit;
use crate::named::named_enum;

named_enum! {
    /// What a check is about.
    Rule {
        KnownField = "known_field", "The channel has this field";
        Count = "count", "The field has as many texts as the channel asks for";
        NotEmpty = "not_empty", "The text is neither empty nor padded with white space";
        Length = "length", "The text keeps the hard limit";
        LengthMin = "length_min", "The text is as long as the channel asks for";
        LengthRecommended = "length_recommended", "The text keeps the recommended limit";
        LengthShortest = "length_shortest", "One of the field's texts keeps a shorter limit";
        Distinct = "distinct", "The field's texts differ from each other";
        ForbiddenCharacters = "forbidden_characters", "The text holds no character that the channel refuses";
        Hashtag = "hashtag", "The text is one hashtag";
        WordRepeats = "word_repeats", "No word stands in the text more often than the channel allows";
        MustInclude = "must_include", "The copy holds a required term";
        MustExclude = "must_exclude", "The copy does not hold an excluded term";
        GroundedNumbers = "grounded_numbers", "Every number of the copy stands in the brief";
        GroundedPrices = "grounded_prices", "Every price and percentage of the copy stands in the brief";
        GroundedUrls = "grounded_urls", "Every web address of the copy stands in the brief";
        Unfinished = "unfinished", "The text does not break off";
    }
}

/// What one rule says about one text, one field, or the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The rule.
    pub rule: Rule,
    /// What was checked: `headline[0]`, `headline`, or `*` for the whole copy.
    pub field: String,
    /// The limit, in [`unit`](Self::unit) or, for `count` and `word_repeats`, a number of texts or words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<usize>,
    /// What was counted against the limit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counted: Option<usize>,
    /// What limit and count count.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<Unit>,
    /// Whether the rule holds.
    pub ok: bool,
    /// Whether the rule is a recommendation, which does not decide whether the copy is returned.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub advisory: bool,
    /// What the rule found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

impl Check {
    fn held(rule: Rule, field: impl Into<String>) -> Self {
        Self {
            rule,
            field: field.into(),
            limit: None,
            counted: None,
            unit: None,
            ok: true,
            advisory: false,
            detail: None,
        }
    }

    fn failed(rule: Rule, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { ok: false, detail: Some(detail.into()), ..Self::held(rule, field) }
    }

    fn measured(rule: Rule, field: impl Into<String>, limit: usize, counted: usize, ok: bool) -> Self {
        Self { limit: Some(limit), counted: Some(counted), ok, ..Self::held(rule, field) }
    }

    fn in_unit(self, unit: Unit) -> Self {
        Self { unit: Some(unit), ..self }
    }

    fn with_detail(self, detail: String) -> Self {
        Self { detail: Some(detail), ..self }
    }

    fn into_advice(self) -> Self {
        Self { advisory: true, ..self }
    }
}

/// What a copy is held against, beside its channel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms<'a> {
    /// Terms that the copy must hold.
    pub must_include: &'a [String],
    /// Terms that the copy must not hold.
    pub must_exclude: &'a [String],
    /// The brief, for its own limits and as the source of every number, price and address.
    pub source: Option<&'a Brief>,
}

impl<'a> Terms<'a> {
    /// Everything that a brief asks for.
    pub fn of(brief: &'a Brief) -> Self {
        Self { must_include: &brief.must_include, must_exclude: &brief.must_exclude, source: Some(brief) }
    }
}

/// Whether every check holds that is not advisory.
pub fn all_hard_ok(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.ok || check.advisory)
}

/// Why a text looks broken off, if it does. Words are judged only where the text is English.
pub fn unfinished(text: &str, english: bool) -> Option<String> {
    unfinished::reason(text, english)
}

/// Verifies texts against a channel and what a brief asks for; every rule that applies is reported.
pub fn check(channel: &Channel, fields: &Fields, terms: &Terms<'_>) -> Vec<Check> {
    Checker::new(channel, *terms).check(fields)
}

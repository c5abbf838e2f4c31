//! The faults of a request, collected until it has been read to its end.

use crate::limits::FIELD_ERRORS_MAX;
use crate::problem::{Code, FieldError, Problem};

/// Codes in the order in which one of them names the whole problem.
const RANK: [Code; 5] = [
    Code::InvalidField,
    Code::UnknownChannel,
    Code::UnsupportedLanguage,
    Code::ContradictoryTerms,
    Code::InfeasibleConstraints,
];

/// What is wrong with a request, field by field.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// The first of them, up to the limit of a problem document.
    listed: Vec<FieldError>,
    /// Every code that occurred.
    codes: Vec<Code>,
    /// How many there are in all.
    count: usize,
}

impl Faults {
    pub(crate) fn add(&mut self, code: Code, field: impl Into<String>, detail: impl Into<String>) {
        self.count += 1;
        if !self.codes.contains(&code) {
            self.codes.push(code);
        }
        if self.listed.len() < FIELD_ERRORS_MAX {
            self.listed.push(FieldError { field: field.into(), detail: detail.into() });
        }
    }

    /// `Ok` where nothing is wrong. Otherwise the problem takes the first code of [`RANK`] that occurs, and lists the
    /// faults up to the limit.
    pub(crate) fn into_result(self) -> Result<(), Problem> {
        let Some(code) = RANK.into_iter().find(|code| self.codes.contains(code)) else {
            return Ok(());
        };
        let detail = match self.listed.as_slice() {
            [only] => format!("{} {}", only.field, only.detail),
            _ => format!("the request has {} faults", self.count),
        };
        Err(Problem { errors: self.listed, ..Problem::new(code, detail) })
    }
}

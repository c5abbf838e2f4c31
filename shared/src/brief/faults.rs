//! The faults of a request, collected until it has been read to its end.

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
    found: Vec<(Code, FieldError)>,
}

impl Faults {
    pub(crate) fn add(&mut self, code: Code, field: impl Into<String>, detail: impl Into<String>) {
        self.found.push((code, FieldError { field: field.into(), detail: detail.into() }));
    }

    /// `Ok` where nothing is wrong. Otherwise the problem takes the first code of [`RANK`] that occurs, and lists
    /// all faults up to the limit.
    pub(crate) fn into_result(self) -> Result<(), Problem> {
        let Some(code) = RANK.into_iter().find(|code| self.found.iter().any(|(other, _)| other == code))
        else {
            return Ok(());
        };
        let detail = match &self.found[..] {
            [(_, only)] => format!("{} {}", only.field, only.detail),
            several => format!("the request has {} faults", several.len()),
        };
        let problem = Problem::new(code, detail);
        Err(self
            .found
            .into_iter()
            .fold(problem, |problem, (_, error)| problem.with_field(error.field, error.detail)))
    }
}

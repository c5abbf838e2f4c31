//! What a brief asks of lengths and language.

use std::collections::BTreeMap;

use crate::brief::Brief;
use crate::channel::Field;

/// The part of a brief that the rules of a field look at; without a brief nothing is asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    limits: BTreeMap<&'static str, usize>,
    /// Whether the copy is English.
    pub(super) english: bool,
}

impl Asked {
    pub(super) fn of(brief: &Brief) -> Self {
        Self { limits: brief.limits.clone(), english: brief.language.is_english() }
    }

    /// The longest text that the field may hold: what the brief says, else the channel's hard limit.
    pub(super) fn limit_hard(&self, field: &Field) -> Option<usize> {
        field.limit_hard_under(&self.limits)
    }
}

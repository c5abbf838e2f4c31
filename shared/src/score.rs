//! How good a variant is, beyond whether it holds.

use serde::{Deserialize, Serialize};

/// How good a variant is; every part lies between 0 and 1 and is rounded to a thousandth.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Score {
    /// All parts in one number, by which variants are ranked.
    pub total: f32,
    /// How easily it reads (Flesch reading ease).
    pub readability: f32,
    /// How much of the brief it tells.
    pub coverage: f32,
    /// How much it differs from the other variants.
    pub distinctness: f32,
    /// How much of it stands in the brief.
    pub faithfulness: f32,
    /// How much of it repeats itself; 0 is best.
    pub repetition: f32,
}

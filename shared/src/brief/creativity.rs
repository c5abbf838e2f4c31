//! How freely the model may write.

use serde::{Serialize, Serializer};

use crate::limits::CREATIVITY_STEPS;

/// How freely the model may write: a word or a number.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Creativity {
    /// Close to the brief.
    Low,
    /// The default.
    #[default]
    Balanced,
    /// Far-reaching.
    High,
    /// A level from 0 to 1, in steps of a thousandth.
    Value(f32),
}

impl Creativity {
    /// The creativity that a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "low" => Some(Self::Low),
            "balanced" => Some(Self::Balanced),
            "high" => Some(Self::High),
            _ => None,
        }
    }

    /// The creativity of a number from 0 to 1, rounded to a thousandth so that the cache key is exact.
    pub fn from_level(level: f64) -> Option<Self> {
        let steps = f64::from(CREATIVITY_STEPS);
        (0.0..=1.0).contains(&level).then(|| Self::Value(((level * steps).round().abs() / steps) as f32))
    }

    /// The level from 0 to 1.
    pub const fn level(self) -> f32 {
        match self {
            Self::Low => 0.2,
            Self::Balanced => 0.5,
            Self::High => 0.8,
            Self::Value(level) => level,
        }
    }

    /// The sampling temperature: 0.2 to 1.1, 0.65 for the default. It never reaches 0, where all variants would be
    /// the same.
    pub fn temperature(self) -> f32 {
        0.2 + 0.9 * self.level()
    }
}

impl Serialize for Creativity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Low => serializer.serialize_str("low"),
            Self::Balanced => serializer.serialize_str("balanced"),
            Self::High => serializer.serialize_str("high"),
            Self::Value(level) => serializer.serialize_f32(*level),
        }
    }
}

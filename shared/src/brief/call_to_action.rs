//! What the reader is asked to do.

use serde::{Serialize, Serializer};

/// What the reader is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CallToAction {
    /// The copywriter finds one.
    #[default]
    Auto,
    /// These words.
    Text(String),
}

impl CallToAction {
    /// The words, where the brief gives them.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Auto => None,
            Self::Text(text) => Some(text),
        }
    }
}

impl Serialize for CallToAction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text().unwrap_or("auto"))
    }
}

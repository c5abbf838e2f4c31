//! The lines of a copy that are written, kept as judging the next ones needs them.

use adlib_shared::score::Trigrams;
use adlib_shared::text;

/// The texts of a plan's first lines.
#[derive(Debug, Clone, Default)]
pub struct Finished {
    texts: Vec<String>,
    folded: Vec<String>,
    trigrams: Trigrams,
}

impl Finished {
    /// Adds the text of the next line.
    pub fn push(&mut self, text: String) {
        self.trigrams.add(&text);
        self.folded.push(text::fold(&text));
        self.texts.push(text);
    }

    /// How many lines are written.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether none is written.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The texts, in the plan's order.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Whether a [folded](text::fold) term stands in one of the texts.
    pub fn holds_term(&self, term: &str) -> bool {
        self.folded.iter().any(|text| text::holds_term(text, term))
    }

    /// The word trigrams of all texts.
    pub fn trigrams(&self) -> &Trigrams {
        &self.trigrams
    }
}

//! Why a tokenizer could not be built.

use super::chat_template::TemplateError;
use crate::model::config::ConfigError;

/// Why a tokenizer could not be built.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// A key is missing, of a wrong type, or asks for something that is not supported.
    #[error("{0}")]
    Setting(#[from] ConfigError),
    /// A token stands twice.
    #[error("token {text:?} stands twice, as {first} and {second}")]
    DuplicateToken {
        /// Its text.
        text: String,
        /// One id.
        first: u32,
        /// The other.
        second: u32,
    },
    /// A merge that does not name two tokens whose concatenation is one.
    #[error("merge {index} ({merge:?}) does not join two tokens into a third")]
    Merge {
        /// Its place in the list.
        index: usize,
        /// As the file gives it.
        merge: String,
    },
    /// More tokens than the embedding has rows.
    #[error("token {id} has no row in the embedding of {rows}")]
    OutOfVocabulary {
        /// The first such token.
        id: u32,
        /// Rows of the embedding.
        rows: usize,
    },
    /// The chat template does not parse.
    #[error("{0}")]
    Template(#[from] TemplateError),
    /// The tokenizers crate refuses the parts.
    #[error("the tokenizer cannot be built: {0}")]
    Pipeline(String),
}

impl TokenizerError {
    /// An error of the tokenizers crate.
    #[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
    pub(super) fn pipeline(error: tokenizers::Error) -> Self {
        Self::Pipeline(error.to_string())
    }
}

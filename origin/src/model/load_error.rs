//! Why a model could not be loaded.

use std::path::{Path, PathBuf};

use super::config::ConfigError;
use super::gguf::GgufError;
use super::lora::AdapterError;
use super::stored_tensor::TensorError;
use crate::tokenizer::TokenizerError;

/// Why a model could not be loaded. The text names the file and what is wrong in it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file system refused.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Neither a GGUF file nor a folder with `config.json`.
    #[error("{} is neither a GGUF file nor a Hugging Face folder with config.json", path.display())]
    UnknownFormat {
        /// What was given.
        path: PathBuf,
    },
    /// The file breaks the GGUF format.
    #[error("{}: {cause}", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: GgufError,
    },
    /// The hyperparameters are impossible, or ask for what Adlib does not do.
    #[error("{}: {cause}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: ConfigError,
    },
    /// A tensor is missing, unknown, or has a wrong shape or content.
    #[error("{}: {cause}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: TensorError,
    },
    /// The file breaks the safetensors format.
    #[error("{}: {cause}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: safetensors::SafeTensorError,
    },
    /// The file is not JSON, or lacks a setting, or has one of a wrong type.
    #[error("{}: {cause}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: serde_json::Error,
    },
    /// A file that is read as a whole is too large for that.
    #[error("{} is larger than {bytes_max} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Allowed.
        bytes_max: u64,
    },
    /// The adapter does not fit the model.
    #[error("adapter {}: {cause}", path.display())]
    Adapter {
        /// The adapter's folder.
        path: PathBuf,
        /// What is wrong.
        cause: AdapterError,
    },
    /// The vocabulary or the chat template cannot be used.
    #[error("{}: {cause}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: TokenizerError,
    },
}

impl LoadError {
    /// Adds the path to an I/O error.
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Read { path: path.to_path_buf(), cause }
    }

    /// Adds the path to a GGUF error.
    pub(crate) fn gguf(path: &Path) -> impl FnOnce(GgufError) -> Self {
        move |cause| Self::Gguf { path: path.to_path_buf(), cause }
    }

    /// Adds the path to a configuration error.
    pub(crate) fn config(path: &Path) -> impl FnOnce(ConfigError) -> Self {
        move |cause| Self::Config { path: path.to_path_buf(), cause }
    }

    /// Adds the path to a tokenizer's error.
    pub(crate) fn tokenizer(path: &Path) -> impl FnOnce(TokenizerError) -> Self {
        move |cause| Self::Tokenizer { path: path.to_path_buf(), cause }
    }

    /// Adds the path to a tensor error.
    pub(crate) fn tensor(path: &Path) -> impl FnOnce(TensorError) -> Self {
        move |cause| Self::Tensor { path: path.to_path_buf(), cause }
    }
}

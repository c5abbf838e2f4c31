//! Why a model could not be loaded.

use std::path::{Path, PathBuf};

use super::config::ConfigError;
use super::gguf::GgufError;
use super::stored_tensor::TensorError;

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

    /// Adds the path to a tensor error.
    pub(crate) fn tensor(path: &Path) -> impl FnOnce(TensorError) -> Self {
        move |cause| Self::Tensor { path: path.to_path_buf(), cause }
    }
}

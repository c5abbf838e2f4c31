//! Where a checkpoint's tensors come from.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::model::config::ModelConfig;
use crate::model::encoding::Encoding;
use crate::model::gguf::{self, Gguf};
use crate::model::huggingface::{self, HuggingFace};
use crate::model::load_error::LoadError;
use crate::model::slot::Slot;
use crate::model::stored_tensor::{StoredTensor, TensorError};
use crate::tokenizer::Tokenizer;

/// An open file or folder of weights.
#[derive(Debug)]
pub(super) enum Weights {
    Gguf(Gguf),
    HuggingFace(HuggingFace),
}

impl Weights {
    /// Opens whatever lies at `path`.
    pub(super) fn open(path: &Path) -> Result<(Self, ModelConfig), LoadError> {
        if path.join(huggingface::CONFIG_FILE).is_file() {
            let (folder, config) = HuggingFace::open(path)?;
            return Ok((Self::HuggingFace(folder), config));
        }
        if path.is_dir() || !gguf::has_magic(path).map_err(LoadError::read(path))? {
            return Err(LoadError::UnknownFormat { path: path.into() });
        }
        let mut file = Gguf::open(path)?;
        let config = file.read_config()?;
        file.expect_only_known(config.layers).map_err(LoadError::tensor(path))?;
        Ok((Self::Gguf(file), config))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Gguf(file) => file.path(),
            Self::HuggingFace(folder) => folder.folder(),
        }
    }

    /// The files whose content the model's fingerprint covers.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Gguf(file) => vec![file.path().to_path_buf()],
            Self::HuggingFace(folder) => folder.files(),
        }
    }

    /// The tensor in a slot, if there is one.
    pub(super) fn tensor(&self, slot: Slot) -> Option<StoredTensor<'_>> {
        match self {
            Self::Gguf(file) => file.tensor(slot),
            Self::HuggingFace(folder) => folder.tensor(slot),
        }
    }

    /// The tensor in a slot.
    pub(super) fn require(&self, slot: Slot) -> Result<StoredTensor<'_>, LoadError> {
        self.tensor(slot).ok_or_else(|| {
            let name = match self {
                Self::Gguf(_) => slot.gguf_name(),
                Self::HuggingFace(_) => slot.huggingface_name(),
            };
            LoadError::tensor(self.path())(TensorError::Missing { name })
        })
    }

    /// The tokenizer for an embedding of `rows` rows.
    pub(super) fn tokenizer(&self, rows: usize) -> Result<Tokenizer, LoadError> {
        match self {
            Self::Gguf(file) => {
                Tokenizer::from_gguf(file.metadata(), rows).map_err(LoadError::tokenizer(file.path()))
            }
            Self::HuggingFace(folder) => Tokenizer::from_folder(folder.folder(), rows),
        }
    }

    /// The pages of this slot's tensor are not needed for now.
    pub(super) fn release(&self, slot: Slot) {
        match self {
            Self::Gguf(file) => file.release(slot),
            Self::HuggingFace(folder) => folder.release(slot),
        }
    }

    /// The model's name.
    pub(super) fn id(&self) -> String {
        display_name(self.path())
    }

    /// Languages the file declares; English where it names none, as a Hugging Face folder never does.
    pub(super) fn languages(&self) -> Result<Vec<String>, LoadError> {
        let named = match self {
            Self::Gguf(file) => {
                file.metadata().texts("general.languages").map_err(LoadError::config(file.path()))?
            }
            Self::HuggingFace(_) => None,
        };
        let codes = named.unwrap_or_default().iter().map(|code| code.to_ascii_lowercase());
        let codes: Vec<String> = codes.collect();
        Ok(if codes.is_empty() { vec!["en".into()] } else { codes })
    }
}

/// The name of a file or folder without what only tells its format: `SmolLM2-135M-Instruct.Q4_1.gguf` is
/// `SmolLM2-135M-Instruct`. Files' own `general.name` are often a training run's working title.
fn display_name(path: &Path) -> String {
    let name = hub_name(path).unwrap_or_else(|| path.file_name().unwrap_or_default().to_string_lossy());
    let name = name.strip_suffix(".gguf").unwrap_or(&name);
    let is_format = |part: &str| {
        let part = part.to_ascii_uppercase();
        Encoding::ALL.iter().any(|(encoding, ..)| part.starts_with(encoding.name()))
    };
    match name.rsplit_once(['.', '-']) {
        Some((stem, format)) if !stem.is_empty() && is_format(format) => stem.into(),
        _ => name.into(),
    }
}

/// The model's name of a folder in the hub's cache, `models--owner--name/snapshots/<commit>`.
fn hub_name(path: &Path) -> Option<Cow<'_, str>> {
    let snapshots = path.parent().filter(|folder| folder.ends_with("snapshots"))?;
    let repository = snapshots.parent()?.file_name()?.to_str()?.strip_prefix("models--")?;
    Some(Cow::Borrowed(repository.split_once("--")?.1))
}

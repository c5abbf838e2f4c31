//! Hugging Face folders: `config.json`, safetensors in one file or several, and the tokenizer's files.

mod hyperparameters;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::config::{ConfigError, ModelConfig};
use super::json_file;
use super::load_error::LoadError;
use super::safetensors_file::SafetensorsFile;
use super::slot::Slot;
use super::stored_tensor::{StoredTensor, TensorError};
use hyperparameters::Hyperparameters;

/// The file whose presence makes a folder a model.
pub const CONFIG_FILE: &str = "config.json";
/// All weights, where one file holds them.
pub(super) const WEIGHTS_FILE: &str = "model.safetensors";
/// Where each tensor is, where several files hold them.
pub(super) const INDEX_FILE: &str = "model.safetensors.index.json";
/// Most files of weights.
pub const SHARDS_MAX: usize = 1024;

/// An open Hugging Face folder.
#[derive(Debug)]
pub struct HuggingFace {
    folder: PathBuf,
    shards: Vec<SafetensorsFile>,
    /// The shard of each tensor.
    by_name: HashMap<String, usize>,
    /// The head is the embedding, even if the files hold both.
    tied: bool,
}

/// `model.safetensors.index.json`.
#[derive(Deserialize)]
struct Index {
    weight_map: HashMap<String, String>,
}

impl HuggingFace {
    /// Opens a folder, maps its weights and reads the hyperparameters.
    pub fn open(folder: &Path) -> Result<(Self, ModelConfig), LoadError> {
        let config_path = folder.join(CONFIG_FILE);
        let settings: Hyperparameters = json_file::read(&config_path)?;
        let (config, tied) = settings.read().map_err(LoadError::config(&config_path))?;
        let shards = shard_paths(folder)?
            .iter()
            .map(|path| SafetensorsFile::open(path))
            .collect::<Result<Vec<_>, _>>()?;
        let mut by_name = HashMap::new();
        for (index, shard) in shards.iter().enumerate() {
            for name in shard.names() {
                if by_name.insert(name.to_owned(), index).is_some() {
                    let cause = TensorError::Duplicate { name: name.into() };
                    return Err(LoadError::tensor(shard.path())(cause));
                }
            }
        }
        let opened = Self { folder: folder.to_path_buf(), shards, by_name, tied };
        opened.check_names(&config)?;
        Ok((opened, config))
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files whose content the model's fingerprint covers: weights and everything that decides how they are used.
    pub fn files(&self) -> Vec<PathBuf> {
        let weights = self.shards.iter().map(|shard| shard.path().to_path_buf());
        let beside =
            crate::tokenizer::FOLDER_FILES.iter().chain([&CONFIG_FILE]).map(|name| self.folder.join(name));
        weights.chain(beside.filter(|path| path.exists())).collect()
    }

    /// The tensor in a slot, if the files have it.
    pub fn tensor(&self, slot: Slot) -> Option<StoredTensor<'_>> {
        if slot == Slot::Head && self.tied {
            return None;
        }
        let name = slot.huggingface_name();
        self.shards[*self.by_name.get(&name)?].tensor(&name)
    }

    /// Lets the kernel take back the pages of a tensor that has been converted.
    pub fn release(&self, slot: Slot) {
        let name = slot.huggingface_name();
        if let Some(shard) = self.by_name.get(&name) {
            self.shards[*shard].release(&name);
        }
    }

    fn check_names(&self, config: &ModelConfig) -> Result<(), LoadError> {
        let known: HashSet<String> = Slot::all(config.layers).map(Slot::huggingface_name).collect();
        for shard in &self.shards {
            let refused = LoadError::tensor(shard.path());
            if let Some((name, dtype)) = shard.unreadable() {
                return Err(refused(TensorError::Type { name: name.into(), dtype }));
            }
            // Old checkpoints carry the rotary frequencies, which follow from the configuration.
            let strange = |name: &&str| !known.contains(*name) && !name.ends_with(".rotary_emb.inv_freq");
            if let Some(name) = shard.names().find(strange) {
                return Err(refused(TensorError::Unknown { name: name.into() }));
            }
        }
        let head = Slot::Head.huggingface_name();
        if !self.tied && !self.by_name.contains_key(&head) {
            return Err(LoadError::tensor(&self.folder)(TensorError::Missing { name: head }));
        }
        Ok(())
    }
}

fn shard_paths(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let index_path = folder.join(INDEX_FILE);
    let Some(index) = json_file::read_if_present::<Index>(&index_path)? else {
        return Ok(vec![folder.join(WEIGHTS_FILE)]);
    };
    let mut names: Vec<String> = index.weight_map.into_values().collect();
    names.sort_unstable();
    names.dedup();
    let refused = |value: &dyn std::fmt::Display, expected: String| {
        LoadError::config(&index_path)(ConfigError::new("weight_map", value, expected))
    };
    if names.is_empty() || names.len() > SHARDS_MAX {
        return Err(refused(&format!("{} files", names.len()), format!("1 to {SHARDS_MAX} are allowed")));
    }
    // A name with a path in it could lead out of the folder.
    let plain = |name: &str| Path::new(name).file_name().is_some_and(|file| file == name);
    match names.iter().find(|name| !plain(name)) {
        Some(name) => Err(refused(name, "the name of a file in the folder is needed".into())),
        None => Ok(names.iter().map(|name| folder.join(name)).collect()),
    }
}

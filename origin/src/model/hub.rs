//! `--model owner/name`: a repository of the Hugging Face hub, kept in the hub's own cache (`HF_HOME`).

use std::path::{Path, PathBuf};

use hf_hub::Cache;
use hf_hub::api::sync::ApiBuilder;

use super::huggingface::{CONFIG_FILE, INDEX_FILE, WEIGHTS_FILE};
use crate::tokenizer::FOLDER_FILES;

/// Most files of a repository that are looked at.
const FILES_MAX: usize = 10_000;

/// Why a repository could not be had.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The hub, the network or the cache refused.
    #[error("cannot fetch {repository} from the Hugging Face hub: {cause}")]
    Fetch {
        /// As it was named.
        repository: String,
        /// What was said.
        cause: String,
    },
    /// The repository holds no model that can be loaded.
    #[error("{repository} on the Hugging Face hub {problem}")]
    Unsuitable {
        /// As it was named.
        repository: String,
        /// Why.
        problem: String,
    },
}

/// Fetches what is missing of a repository and gives the path to open: its folder, or its GGUF file. Where the hub
/// cannot be reached, what an earlier run fetched is used.
pub fn fetch(repository: &str) -> Result<PathBuf, HubError> {
    let fetched = fetch_with(ApiBuilder::from_env().with_progress(true), repository);
    match (fetched, Cache::from_env().model(repository.into()).get(CONFIG_FILE)) {
        (Err(HubError::Fetch { cause, .. }), Some(config)) => {
            tracing::warn!(%repository, %cause, "the hub cannot be reached; the cached files are used");
            Ok(config.parent().map(PathBuf::from).unwrap_or_default())
        }
        (fetched, _) => fetched,
    }
}

/// Fetches from the hub and into the cache that the builder names.
pub fn fetch_with(api: ApiBuilder, repository: &str) -> Result<PathBuf, HubError> {
    let failed = |cause: hf_hub::api::sync::ApiError| HubError::Fetch {
        repository: repository.into(),
        cause: cause.to_string(),
    };
    let repo = api.build().map_err(failed)?.model(repository.into());
    let siblings = repo.info().map_err(failed)?.siblings;
    let names: Vec<String> = siblings.into_iter().take(FILES_MAX).map(|sibling| sibling.rfilename).collect();
    let unsuitable = |problem| HubError::Unsuitable { repository: repository.into(), problem };
    match choose(&names).map_err(unsuitable)? {
        Choice::File(name) => repo.get(name).map_err(failed),
        Choice::Folder(names) => {
            let mut folder = PathBuf::new();
            for name in names {
                let path = repo.get(name).map_err(failed)?;
                folder = path.parent().map(PathBuf::from).unwrap_or_default();
            }
            Ok(folder)
        }
    }
}

/// What to fetch of a repository.
#[derive(Debug, PartialEq, Eq)]
enum Choice<'a> {
    /// The files of a Hugging Face folder.
    Folder(Vec<&'a str>),
    /// One GGUF file.
    File(&'a str),
}

/// A folder where there are safetensors, else the only GGUF file. Only files at the top count.
fn choose(names: &[String]) -> Result<Choice<'_>, String> {
    let top: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| !name.contains(['/', '\\'])).collect();
    let has = |name: &str| top.contains(&name);
    let is_weight = |name: &str| name == WEIGHTS_FILE || name == INDEX_FILE || is_shard(name);
    if has(CONFIG_FILE) && top.iter().any(|name| is_weight(name)) {
        let wanted = |name: &&str| *name == CONFIG_FILE || FOLDER_FILES.contains(name) || is_weight(name);
        return Ok(Choice::Folder(top.into_iter().filter(wanted).collect()));
    }
    let files: Vec<&str> = top
        .into_iter()
        .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "gguf"))
        .collect();
    match files[..] {
        [] => Err("has neither safetensors with config.json nor a GGUF file".into()),
        [file] => Ok(Choice::File(file)),
        _ => Err(format!("has several GGUF files; fetch one and give its path: {}", files.join(", "))),
    }
}

/// `model-00001-of-00002.safetensors`.
fn is_shard(name: &str) -> bool {
    name.starts_with("model-") && name.ends_with(".safetensors")
}

#[cfg(test)]
mod tests {
    use super::{Choice, choose};

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_folder_is_preferred_and_only_what_is_read_is_fetched() {
        let all = names(&[
            "README.md",
            "config.json",
            "model.safetensors",
            "onnx/model.onnx",
            "tokenizer.json",
            "x.gguf",
        ]);
        let expected = Choice::Folder(vec!["config.json", "model.safetensors", "tokenizer.json"]);
        assert_eq!(choose(&all), Ok(expected));
        let shards =
            names(&["config.json", "model-00001-of-00002.safetensors", "model.safetensors.index.json"]);
        assert!(matches!(choose(&shards), Ok(Choice::Folder(files)) if files.len() == 3));
    }

    #[test]
    fn a_single_gguf_file_is_taken_and_several_are_named() {
        assert_eq!(choose(&names(&["README.md", "a.gguf", "old/b.gguf"])), Ok(Choice::File("a.gguf")));
        assert!(
            choose(&names(&["a.gguf", "b.gguf"])).is_err_and(|problem| problem.ends_with("a.gguf, b.gguf"))
        );
        assert!(choose(&names(&["config.json"])).is_err());
    }
}

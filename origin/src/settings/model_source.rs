//! Which model to serve, and with which adapters.

use std::path::{Path, PathBuf};

use super::raw::{Environment, Raw};

/// File name of the default model, which `cargo dev` fetches into the cache.
pub const DEFAULT_MODEL: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
/// The house copywriter's folder, below a folder of adapters.
const HOUSE_ADAPTER: &str = "copywriter";

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// A GGUF file or a Hugging Face folder; it exists.
    Path(PathBuf),
    /// A repository of the Hugging Face hub, `owner/name`.
    Hub(String),
}

impl ModelSource {
    /// The model that was named, or the default one.
    pub(super) fn read(raw: &mut Raw) -> Option<Self> {
        let Some(text) = raw.text("model") else {
            return default_model(raw);
        };
        let path = PathBuf::from(&text);
        if path.exists() {
            return Some(Self::Path(path));
        }
        if is_repository(&text) {
            return Some(Self::Hub(text));
        }
        raw.refuse(
            "model",
            &text,
            "an existing GGUF file or Hugging Face folder, or owner/name on the Hugging Face hub",
        );
        None
    }

    /// Whether the house copywriter was trained for this model.
    fn is_default(&self) -> bool {
        matches!(self, Self::Path(path) if path.file_name().is_some_and(|name| name == DEFAULT_MODEL))
    }
}

fn default_model(raw: &mut Raw) -> Option<ModelSource> {
    let Some(folder) = cache_folder(raw.environment()) else {
        raw.refuse_unseen("model", "a model must be named where neither XDG_CACHE_HOME nor HOME is set");
        return None;
    };
    let path = folder.join("models").join(DEFAULT_MODEL);
    if path.is_file() {
        return Some(ModelSource::Path(path));
    }
    let allowed =
        format!("a model; the default one is not at {} (`cargo dev up` fetches it)", path.display());
    raw.refuse_unseen("model", &allowed);
    None
}

/// The per-user cache of the project (XDG Base Directory Specification).
fn cache_folder(environment: &Environment) -> Option<PathBuf> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache"))).map(|folder| folder.join("adlib"))
}

/// The adapters to merge: those that were given, or the house copywriter for the default model.
pub(super) fn adapters(raw: &mut Raw, model: Option<&ModelSource>) -> Vec<PathBuf> {
    let none = raw.truth("no_adapter");
    let given = raw.texts("adapter").unwrap_or_default();
    if none && !given.is_empty() {
        raw.refuse_unseen("no_adapter", "either adapter or no_adapter, not both");
    }
    for folder in &given {
        if !Path::new(folder).join("adapter_config.json").is_file() {
            raw.refuse("adapter", folder, "a folder with adapter_config.json and adapter_model.safetensors");
        }
    }
    if none || !given.is_empty() || !model.is_some_and(ModelSource::is_default) {
        return given.into_iter().map(PathBuf::from).collect();
    }
    let places = house_places();
    let found = places.iter().find(|folder| folder.join("adapter_config.json").is_file());
    if found.is_none() {
        let places: Vec<_> = places.iter().map(|folder| folder.display().to_string()).collect();
        let places = places.join(" or ");
        raw.refuse_unseen(
            "adapter",
            &format!("a folder, or no_adapter; the house copywriter is not at {places}"),
        );
    }
    found.cloned().into_iter().collect()
}

/// Where the house copywriter is looked for: beside the binary, as an installation lays it, then in the source tree.
fn house_places() -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("adapters")));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("adapters");
    beside.into_iter().chain([source]).map(|folder| folder.join(HOUSE_ADAPTER)).collect()
}

/// Whether a text has the form `owner/name` of the Hugging Face hub.
fn is_repository(text: &str) -> bool {
    let part = |part: &str| {
        (1..=96).contains(&part.len())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    text.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}

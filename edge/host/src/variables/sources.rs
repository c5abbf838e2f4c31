//! Where values of variables come from: the environment, a file, a flag.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What Spin puts before a variable's name in the environment.
const PREFIX: &str = "SPIN_VARIABLE_";

/// Why a source of variables cannot be used. No message carries a value.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum SourceError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is not TOML with a string for each variable, near byte {at}")]
    Toml { path: PathBuf, at: usize },
    #[error("{path} has a line that is not `NAME=value`")]
    Env { path: PathBuf },
    #[error("a variable is given as `name=value` or `name=@file`")]
    Flag,
}

/// The variables among the given environment: `SPIN_VARIABLE_API_KEY` is `api_key`.
pub fn from_environment(environment: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let variable =
        |(key, value): (String, String)| Some((key.strip_prefix(PREFIX)?.to_ascii_lowercase(), value));
    environment.into_iter().filter_map(variable).collect()
}

/// The variables of a file: a `.toml` file has one string for each variable, any other is a `.env` file whose names
/// are those of the environment.
pub fn from_file(path: &Path) -> Result<BTreeMap<String, String>, SourceError> {
    if path.extension().is_some_and(|extension| extension == "toml") {
        let text = read(path)?;
        return toml::from_str(&text).map_err(|error| SourceError::Toml {
            path: path.to_owned(),
            at: error.span().map_or(0, |span| span.start),
        });
    }
    let open = |error| match error {
        dotenvy::Error::Io(source) => SourceError::Read { path: path.to_owned(), source },
        _ => SourceError::Env { path: path.to_owned() },
    };
    let pairs: Result<Vec<_>, _> = dotenvy::from_path_iter(path).map_err(open)?.collect();
    Ok(from_environment(pairs.map_err(open)?))
}

/// One variable as `--variable` takes it: `name=value`, or `name=@file` for the file's content.
pub fn from_flag(flag: &str) -> Result<(String, String), SourceError> {
    let (name, value) = flag.split_once('=').ok_or(SourceError::Flag)?;
    let value = match value.strip_prefix('@') {
        Some(path) => read(Path::new(path))?,
        None => value.to_owned(),
    };
    Ok((name.to_owned(), value))
}

fn read(path: &Path) -> Result<String, SourceError> {
    std::fs::read_to_string(path).map_err(|source| SourceError::Read { path: path.to_owned(), source })
}

//! The user's own folders, as the XDG base directory specification draws them.

use std::env;
use std::path::PathBuf;

use crate::error::Error;

/// Where fetched files live that can be fetched again.
pub(crate) fn cache() -> Result<PathBuf, Error> {
    folder("XDG_CACHE_HOME", ".cache", "the cache")
}

/// Where keys, logs and what the edge remembers live.
pub(crate) fn state() -> Result<PathBuf, Error> {
    folder("XDG_STATE_HOME", ".local/state", "keys and logs")
}

fn folder(variable: &'static str, below_home: &str, purpose: &'static str) -> Result<PathBuf, Error> {
    // The specification has relative paths ignored.
    let given = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let standard = || Some(PathBuf::from(env::var_os("HOME")?).join(below_home));
    let base = given.or_else(standard).ok_or(Error::NoHome { variable, purpose })?;
    Ok(base.join("adlib"))
}

//! The origin as `cargo dev up` starts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::arguments::Up;
use crate::error::Error;
use crate::service::Launch;
use crate::state::State;
use crate::workspace::Workspace;

/// The origin finishes what runs, for 30 seconds at most, before it ends.
const GRACE: Duration = Duration::from_secs(35);

/// The model a person named: a path of theirs, which the origin gets as an absolute one, or a name on the hub.
/// The origin looks closer; what cannot be either is told here, before anything is built.
pub(super) fn given_model(given: &str) -> Result<PathBuf, Error> {
    let may_be_on_the_hub = || given.split('/').count() == 2 && !given.starts_with(['/', '.', '~']);
    match fs::canonicalize(given) {
        Ok(path) => Ok(path),
        Err(_) if may_be_on_the_hub() => Ok(PathBuf::from(given)),
        Err(source) => Err(Error::NoModel { given: given.to_owned(), source }),
    }
}

pub(super) fn launch<'a>(
    workspace: &'a Workspace,
    options: &Up,
    state: &State,
    program: &'a Path,
    model: &Path,
) -> Result<Launch<'a>, Error> {
    // The secret lies in a file of this user; the origin reads it there.
    state.secret(HOP_SECRET)?;
    Ok(Launch {
        name: "origin",
        program: program.as_os_str(),
        arguments: Vec::new(),
        environment: vec![
            ("ADLIB_LISTEN", format!("127.0.0.1:{}", options.origin_port).into()),
            ("ADLIB_MODEL", model.into()),
            ("ADLIB_HOP_SECRET_FILE", state.path(HOP_SECRET).into()),
            ("ADLIB_LOG_FORMAT", "pretty".into()),
        ],
        folder: workspace.root(),
        log: state.path("origin.log"),
        grace: GRACE,
    })
}

/// The file of the secret that edge and origin share.
pub(super) const HOP_SECRET: &str = "hop-secret";

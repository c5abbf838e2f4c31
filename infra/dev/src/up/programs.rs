//! The programs that `cargo dev up` starts.

use std::path::PathBuf;

use crate::arguments::Runtime;
use crate::artifact;
use crate::error::Error;
use crate::program;
use crate::workspace::Workspace;

/// Where they lie.
pub(super) struct Programs {
    pub(super) origin: PathBuf,
    /// Spin, or the project's own host.
    pub(super) host: PathBuf,
}

impl Programs {
    /// Finds Spin where it is chosen and builds the rest, in one call of cargo: what origin and host both need is
    /// compiled once.
    pub(super) fn prepare(workspace: &Workspace, runtime: Runtime) -> Result<Self, Error> {
        let mut arguments = vec!["--release", "--package", "adlib-origin", "--bin", "origin"];
        if runtime == Runtime::Embedded {
            arguments.extend(["--package", "adlib-edge-host", "--bin", "edge-host"]);
        }
        let built = artifact::build(workspace, "build", &arguments)?;
        let host = match runtime {
            Runtime::Spin => program::on_path("spin").ok_or(Error::NoSpin)?,
            Runtime::Embedded => built.named("edge-host")?,
        };
        Ok(Self { origin: built.named("origin")?, host })
    }
}

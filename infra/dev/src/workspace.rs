//! Where the project lies, and the cargo that builds it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The project's root folder.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace that this crate belongs to: `cargo run` names it at run time, and the compiler named it before.
    pub(crate) fn locate() -> Self {
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.ancestors().nth(2).expect("this crate lies two folders below the root");
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A cargo command in the root folder.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        command
    }
}

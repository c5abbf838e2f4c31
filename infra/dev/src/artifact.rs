//! Files that cargo builds.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use crate::command;
use crate::error::Error;
use crate::workspace::Workspace;

/// Runs `cargo build`, or `cargo rustc`, with the given arguments and returns the files it made (or found up to date).
/// Cargo's own progress goes to the terminal.
pub(crate) fn build(workspace: &Workspace, verb: &str, arguments: &[&str]) -> Result<Artifacts, Error> {
    let mut cargo = workspace.cargo();
    cargo.arg(verb).args(arguments).arg("--message-format=json-render-diagnostics").stdout(Stdio::piped());
    let not_run =
        |source| Error::CommandNotRun { command: format!("cargo {verb} {}", arguments.join(" ")), source };
    let mut child = cargo.spawn().map_err(not_run)?;
    let mut files = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            files.extend(files_of(&line.map_err(not_run)?));
        }
    }
    let status = child.wait().map_err(not_run)?;
    if status.success() {
        Ok(Artifacts { files })
    } else {
        Err(Error::CommandFailed { command: command::describe(&cargo), status })
    }
}

/// The files of one build.
pub(crate) struct Artifacts {
    files: Vec<PathBuf>,
}

impl Artifacts {
    /// The file with this name.
    pub(crate) fn named(&self, name: &str) -> Result<PathBuf, Error> {
        let found = self.files.iter().find(|file| file.file_name().is_some_and(|found| found == name));
        found.cloned().ok_or_else(|| Error::NotBuilt { name: name.to_owned() })
    }
}

/// The files that one of cargo's messages names.
fn files_of(message: &str) -> Vec<PathBuf> {
    let message: Value = serde_json::from_str(message).unwrap_or_default();
    if message["reason"] != "compiler-artifact" {
        return Vec::new();
    }
    let names = message["filenames"].as_array().into_iter().flatten();
    names.filter_map(Value::as_str).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::files_of;

    #[test]
    fn artifacts_are_read_from_cargos_messages() {
        let message = r#"{"reason":"compiler-artifact","filenames":["/t/release/origin"],"fresh":true}"#;
        assert_eq!(files_of(message), [PathBuf::from("/t/release/origin")]);
        assert!(files_of(r#"{"reason":"build-finished","success":true}"#).is_empty());
        assert!(files_of("not a message").is_empty());
    }
}

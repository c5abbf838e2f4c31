//! Programs that end with the process that started them, however that one ends.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::arguments::ExecWithParent;
use crate::command;
use crate::error::Error;

/// A command that runs `program` through this executable, which first ties it to this process.
///
/// The tie belongs to the thread that spawns the command: that thread must live as long as the program should.
pub(crate) fn tied(program: impl AsRef<OsStr>) -> Result<Command, Error> {
    let itself = env::current_exe()
        .map_err(|source| Error::CommandNotRun { command: String::from("cargo dev"), source })?;
    let mut command = Command::new(itself);
    command.arg("exec-with-parent").arg(std::process::id().to_string()).arg("--").arg(program);
    Ok(command)
}

/// Replaces this process with the given command; returns only when that failed.
pub(crate) fn exec(options: &ExecWithParent) -> Error {
    let (program, arguments) = options.command.split_first().expect("clap requires a command");
    let mut command = Command::new(program);
    command.args(arguments);
    let source = match tie_to(options.parent) {
        Ok(()) => command.exec(),
        Err(source) => source,
    };
    Error::CommandNotRun { command: command::describe(&command), source }
}

/// Asks the kernel for SIGTERM when the parent ends. It holds across `exec`.
#[cfg(target_os = "linux")]
fn tie_to(parent: u32) -> io::Result<()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // The parent may have ended before the request was made; then nobody would ever send the signal.
    let now = getppid().map(|id| id.as_raw_nonzero().get());
    if now.is_some_and(|id| u32::try_from(id) == Ok(parent)) {
        Ok(())
    } else {
        Err(io::Error::other("the process that asked for it is gone"))
    }
}

/// Elsewhere there is no such request; services are stopped by `cargo dev` itself alone.
#[cfg(not(target_os = "linux"))]
fn tie_to(_parent: u32) -> io::Result<()> {
    Ok(())
}

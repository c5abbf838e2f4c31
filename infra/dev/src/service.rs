//! A server in the background: its process group, its log, its end.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::Error;
use crate::parent;

/// How often a child is asked whether it ended.
pub(crate) const POLL: Duration = Duration::from_millis(50);
/// Lines of a log that are shown when its service fails.
const TAIL_LINES: usize = 20;

/// What to start.
pub(crate) struct Launch<'a> {
    pub(crate) name: &'static str,
    pub(crate) program: &'a OsStr,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(&'static str, OsString)>,
    pub(crate) folder: &'a Path,
    pub(crate) log: PathBuf,
    /// How long it may take to finish what it does once asked to stop.
    pub(crate) grace: Duration,
}

/// A running service; dropping it stops it.
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
    grace: Duration,
}

impl Service {
    /// Starts a process in a group of its own, so that a Ctrl-C at the terminal reaches `cargo dev` alone, which then
    /// stops its services in order.
    pub(crate) fn start(launch: Launch<'_>) -> Result<Self, Error> {
        let log = File::create(&launch.log).map_err(Error::file("create", &launch.log))?;
        let log_again = log.try_clone().map_err(Error::file("open", &launch.log))?;
        let mut command = parent::tied(launch.program)?;
        command
            .args(launch.arguments)
            .envs(launch.environment)
            // Its output goes to a file, whatever it believes.
            .env("NO_COLOR", "1")
            .current_dir(launch.folder)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_again)
            .process_group(0);
        let child = command.spawn().map_err(|source| Error::CommandNotRun {
            command: launch.program.to_string_lossy().into_owned(),
            source,
        })?;
        Ok(Self { name: launch.name, child, log: launch.log, grace: launch.grace })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// An error when the service ended by itself.
    pub(crate) fn check_alive(&mut self) -> Result<(), Error> {
        match self.try_wait() {
            None => Ok(()),
            Some(status) => Err(Error::ServiceEnded {
                service: self.name,
                status,
                log: self.log.clone(),
                tail: self.tail(),
            }),
        }
    }

    /// The error of a service that did not become ready in time.
    pub(crate) fn not_ready(&self, waited: Duration) -> Error {
        Error::NotReady {
            service: self.name,
            seconds: waited.as_secs(),
            log: self.log.clone(),
            tail: self.tail(),
        }
    }

    /// Asks the service to stop, waits for as long as it may take, and ends it by force after that.
    /// True when it stopped by itself.
    pub(crate) fn stop(&mut self) -> bool {
        self.signal(Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < self.grace {
            if self.try_wait().is_some() {
                return true;
            }
            thread::sleep(POLL);
        }
        self.signal(Signal::KILL);
        // After SIGKILL the wait is short; its result is of no use.
        let _ = self.child.wait();
        false
    }

    fn try_wait(&mut self) -> Option<ExitStatus> {
        // `try_wait` fails only for a process that is not a child, which this one is.
        self.child.try_wait().ok().flatten()
    }

    /// Signals the whole group, so that a helper process of the service does not stay behind.
    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // The group is gone when all of it ended already, which is what was wanted.
            let _ = kill_process_group(group, signal);
        }
    }

    fn tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        last_lines(&String::from_utf8_lossy(&text), TAIL_LINES)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.try_wait().is_none() {
            self.stop();
        }
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::last_lines;

    #[test]
    fn the_tail_is_the_end_of_the_log() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a\n", 2), "a");
        assert_eq!(last_lines("", 2), "");
    }
}

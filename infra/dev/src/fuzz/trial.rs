//! One target's run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command;
use crate::error::Error;

/// Longest input, in bytes. Limits beyond it have tests of their own.
const INPUT_BYTES_MAX: u32 = 8192;
/// Longest time for one input, in seconds: what takes longer is a fault.
const INPUT_SECONDS_MAX: u32 = 5;
/// Most memory, in MiB.
const MEMORY_MIB_MAX: u32 = 1024;
/// Lines of the log that are shown where a target failed.
const TAIL_LINES: usize = 40;

/// A target and the folder that keeps its inputs from one run to the next.
pub(super) struct Trial<'a> {
    name: &'a str,
    folder: PathBuf,
}

impl<'a> Trial<'a> {
    pub(super) fn new(name: &'a str, folder: &Path) -> Self {
        Self { name, folder: folder.join(name) }
    }

    /// Runs the target for so many seconds and tells how far it came.
    pub(super) fn run(&self, program: &Path, seconds: u32) -> Result<String, Error> {
        let faults = self.folder.join("faults");
        fs::create_dir_all(&faults).map_err(Error::file("create", &faults))?;
        let log = self.folder.join("log");
        let file = File::create(&log).map_err(Error::file("create", &log))?;
        let both = file.try_clone().map_err(Error::file("create", &log))?;
        let mut command = Command::new(program);
        command
            .arg(self.folder.join("corpus"))
            .arg(format!("-dict={}", self.folder.join("dictionary").display()))
            .arg(format!("-artifact_prefix={}/", faults.display()))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
            .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
            .env("ADLIB_FUZZ_TARGET", self.name)
            .env("ADLIB_FUZZ_FOLDER", &self.folder)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(both);
        let status = command
            .status()
            .map_err(|source| Error::CommandNotRun { command: command::describe(&command), source })?;
        let said = fs::read(&log).map_err(Error::file("read", &log))?;
        let said = String::from_utf8_lossy(&said);
        if status.success() {
            return Ok(summary(&said));
        }
        let lines: Vec<&str> = said.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        Err(Error::FuzzTarget { status, faults, tail })
    }
}

/// The last state that libFuzzer reported, such as `#4096 DONE cov: 812 ft: 2211 corp: 340/21Kb …`.
fn summary(said: &str) -> String {
    let state = said.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: "));
    let words: Vec<&str> = state.unwrap_or_default().split_whitespace().collect();
    let after = |label: &str| {
        let at = words.iter().position(|word| *word == label);
        at.and_then(|at| words.get(at + 1)).map_or("?", |word| *word)
    };
    let inputs = words.first().map_or("?", |word| word.trim_start_matches('#'));
    format!("{inputs} inputs, {} places of the code reached, {} inputs kept", after("cov:"), after("corp:"))
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn the_last_state_is_told() {
        let said = "INFO: Seed: 1\n#8\tINITED cov: 10 ft: 11 corp: 3/9b exec/s: 0\n#4096\tDONE   cov: 812 ft: 2211 corp: 340/21Kb lim: 4096\nDone 4096 runs in 1 second(s)\n";
        assert_eq!(summary(said), "4096 inputs, 812 places of the code reached, 340/21Kb inputs kept");
        assert_eq!(summary("nothing"), "? inputs, ? places of the code reached, ? inputs kept");
    }
}

//! The connection to the runner; the other end is `origin/kernels/simulator/runner.cpp`.

use super::Shape;
use super::compile::Checks;
use crate::backend::cuda::arguments::Arguments;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Lines of the runner's last words that are passed on.
const LAST_WORDS_LINES: usize = 30;

/// A runner and its pipes.
pub(super) struct Link {
    child: Child,
    requests: BufWriter<ChildStdin>,
    answers: ChildStdout,
    /// What sanitizers write.
    errors: File,
}

/// Operations of the protocol.
#[derive(Clone, Copy)]
enum Operation {
    Allocate = 1,
    Free,
    Write,
    Read,
    Clear,
    Copy,
    Launch,
}

impl Link {
    /// Starts the runner.
    pub(super) fn start(runner: &Path, checks: Checks) -> Self {
        let errors = tempfile::tempfile().expect("a temporary file");
        // The thread sanitizer of some compilers does not bear addresses that are random in more bits than it knows.
        let fixed = checks == Checks::Races && Command::new("setarch").arg("--version").output().is_ok();
        let mut command = if fixed { Command::new("setarch") } else { Command::new(runner) };
        if fixed {
            command.arg("--addr-no-randomize").arg(runner);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone().expect("a second handle"))
            .spawn()
            .expect("the runner starts");
        let requests = BufWriter::new(child.stdin.take().expect("a pipe"));
        let answers = child.stdout.take().expect("a pipe");
        Self { child, requests, answers, errors }
    }

    pub(super) fn allocate(&mut self, bytes: usize) -> Result<u64, String> {
        self.ask(Operation::Allocate, |request| number(request, bytes as u64))?;
        let mut address = [0; 8];
        self.receive(&mut address)?;
        Ok(u64::from_le_bytes(address))
    }

    pub(super) fn free(&mut self, address: u64) -> Result<(), String> {
        self.ask(Operation::Free, |request| number(request, address))
    }

    pub(super) fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), String> {
        self.ask(Operation::Write, |request| {
            number(request, address)?;
            string(request, bytes)
        })
    }

    pub(super) fn read(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), String> {
        self.ask(Operation::Read, |request| {
            number(request, address)?;
            number(request, bytes.len() as u64)
        })?;
        self.receive(bytes)
    }

    pub(super) fn clear(&mut self, address: u64, bytes: u64) -> Result<(), String> {
        self.ask(Operation::Clear, |request| {
            number(request, address)?;
            number(request, bytes)
        })
    }

    pub(super) fn copy(&mut self, to: u64, from: u64, bytes: u64) -> Result<(), String> {
        self.ask(Operation::Copy, |request| {
            [to, from, bytes].into_iter().try_for_each(|value| number(request, value))
        })
    }

    pub(super) fn launch(
        &mut self,
        kernel: &str,
        shape: Shape,
        arguments: &Arguments,
        schedule: u64,
    ) -> Result<(), String> {
        self.ask(Operation::Launch, |request| {
            string(request, kernel.as_bytes())?;
            for size in shape.grid.into_iter().chain([shape.threads, 1, 1, shape.shared_bytes]) {
                request.write_all(&(size as u32).to_le_bytes())?;
            }
            number(request, schedule)?;
            string(request, arguments.layout().as_bytes())?;
            string(request, arguments.bytes())
        })
    }

    /// Sends a request and waits for the answer's first part.
    fn ask(
        &mut self,
        operation: Operation,
        request: impl FnOnce(&mut BufWriter<ChildStdin>) -> io::Result<()>,
    ) -> Result<(), String> {
        let sent = self.requests.write_all(&(operation as u32).to_le_bytes());
        let sent = sent.and_then(|()| request(&mut self.requests)).and_then(|()| self.requests.flush());
        sent.map_err(|_| self.last_words())?;
        let mut status = [0; 4];
        self.receive(&mut status)?;
        if status == [0; 4] {
            return Ok(());
        }
        let mut length = [0; 8];
        self.receive(&mut length)?;
        let mut text = vec![0; u64::from_le_bytes(length) as usize];
        self.receive(&mut text)?;
        Err(String::from_utf8_lossy(&text).into_owned())
    }

    fn receive(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.answers.read_exact(bytes).map_err(|_| self.last_words())
    }

    /// What a runner wrote that is no more.
    fn last_words(&mut self) -> String {
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let mut words = Vec::new();
        _ = self.errors.rewind().and_then(|()| self.errors.read_to_end(&mut words));
        let words = String::from_utf8_lossy(&words);
        let lines: Vec<_> = words.lines().take(LAST_WORDS_LINES).collect();
        format!("the runner ended ({status}):\n{}", lines.join("\n"))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Ended or not, it is not needed any more.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn number(request: &mut impl Write, value: u64) -> io::Result<()> {
    request.write_all(&value.to_le_bytes())
}

fn string(request: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    number(request, bytes.len() as u64)?;
    request.write_all(bytes)
}

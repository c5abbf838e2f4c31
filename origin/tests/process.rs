//! The binary as its operator meets it: wrong settings, models that cannot be loaded, signals.

#![expect(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// The exit status of a process that a second `SIGTERM` ended.
const EXIT_TERMINATED: i32 = 128 + 15;

fn origin(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_origin"));
    // A port of the system's choosing, and nothing of the environment of whoever runs the tests.
    command.env_clear().args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]).args(flags);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Runs an origin that is expected to end by itself: its exit status and what it said.
fn ended(flags: &[&str]) -> (Option<i32>, String) {
    let output = origin(flags).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// An origin that listens and still loads: its model is a pipe that nobody writes to.
struct Loading {
    child: Child,
    log: BufReader<ChildStderr>,
    address: String,
    folder: tempfile::TempDir,
}

impl Loading {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("pipe.gguf");
        assert!(Command::new("mkfifo").arg(&model).status().unwrap().success());
        let mut child = origin(&["--model", model.to_str().unwrap()]).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let listening = line_with(&mut log, "\"address\"");
        let address = listening.split("\"address\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        Self { child, log, address, folder }
    }

    fn signal(&self) {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn status(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the process must end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        _ = std::fs::remove_dir_all(self.folder.path());
    }
}

/// The next line of the log that holds a text.
fn line_with(log: &mut impl BufRead, text: &str) -> String {
    let mut line = String::new();
    while log.read_line(&mut line).unwrap() > 0 {
        if line.contains(text) {
            return line;
        }
        line.clear();
    }
    panic!("the log ended without {text:?}");
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn wrong_settings_end_it_before_it_listens() {
    let (status, said) = ended(&["--threads", "none", "--model", "/no/such/model.gguf"]);
    assert_eq!(status, Some(78), "{said}");
    assert!(said.contains("threads (--threads) is \"none\"; allowed: a number from 1 to 512"), "{said}");
    assert!(said.contains("model (--model) is \"/no/such/model.gguf\""), "{said}");
    assert!(!said.contains("listening"), "{said}");
}

#[test]
fn a_model_that_cannot_be_loaded_ends_it_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("broken.gguf");
    std::fs::write(&model, b"not a model at all, but long enough to be looked at").unwrap();
    let (status, said) = ended(&["--model", model.to_str().unwrap()]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("origin: the model cannot be loaded") && said.contains("broken.gguf"), "{said}");
}

#[test]
fn it_answers_while_it_loads_and_a_signal_ends_it_well() {
    let mut origin = Loading::start();
    let ready = answer(origin.send("GET /readyz HTTP/1.1\r\nhost: o\r\nconnection: close\r\n\r\n"));
    assert!(ready.starts_with("HTTP/1.1 503 ") && ready.contains("the model is still loading"), "{ready}");
    let alive = answer(origin.send("GET /healthz HTTP/1.1\r\nhost: o\r\nconnection: close\r\n\r\n"));
    assert!(alive.starts_with("HTTP/1.1 200 "), "{alive}");
    origin.signal();
    assert_eq!(origin.status().code(), Some(0));
    assert!(TcpStream::connect(&origin.address).is_err(), "the port is free again");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut origin = Loading::start();
    // A request whose body does not come holds the shutdown up.
    let _running = origin.send("POST /v1/check HTTP/1.1\r\nhost: o\r\ncontent-length: 10\r\n\r\n");
    std::thread::sleep(Duration::from_millis(200));
    origin.signal();
    line_with(&mut origin.log, "draining");
    assert!(origin.child.try_wait().unwrap().is_none(), "it waits for what runs");
    origin.signal();
    assert_eq!(origin.status().code(), Some(EXIT_TERMINATED));
}

#[test]
fn the_help_names_every_setting() {
    let output = Command::new(env!("CARGO_BIN_EXE_origin")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for flag in
        ["--listen", "--model", "--adapter", "--hop-secret-file", "--max-memory-usage", "--drain-seconds"]
    {
        assert!(help.contains(flag), "{flag}: {help}");
    }
}

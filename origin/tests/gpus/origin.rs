//! The origin's process, with a fake driver in the place of the system's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use crate::driver::FakeDriver;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// How to start an origin with the tiny model.
pub(crate) struct Start {
    command: Command,
    folder: tempfile::TempDir,
}

impl Start {
    /// On these devices of this driver.
    pub(crate) fn new(driver: &FakeDriver, device: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("tiny.gguf");
        adlib_origin::model::tiny::write(&model, 1).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_origin"));
        command.env_clear().args(["--listen", "127.0.0.1:0", "--log-format", "json", "--no-adapter"]);
        command
            .args(["--kv-tokens", "16384", "--threads", "1", "--device", device])
            .arg("--model")
            .arg(model);
        command.env("LD_LIBRARY_PATH", driver.folder()).env("ADLIB_NVRTC", driver.library());
        command.env("XDG_CACHE_HOME", folder.path()).env("FAKE_FAULTS", folder.path().join("faults"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self { command, folder }
    }

    /// With a variable in its environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// What it says when it ends by itself, which it is expected to do with an error.
    pub(crate) fn refused(mut self) -> String {
        let output = self.command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }

    /// The running process, once it is ready.
    pub(crate) fn ready(mut self) -> Origin {
        let mut child = self.command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let faults = self.folder.path().join("faults");
        let mut origin =
            Origin { child, log, address: String::new(), faults, said: String::new(), _folder: self.folder };
        let listening = origin.line_with("\"address\"");
        let address = listening.split("\"address\":\"").nth(1).unwrap().split('"').next().unwrap();
        origin.address.push_str(address);
        origin.line_with("\"ready\"");
        origin
    }
}

/// A running origin.
pub(crate) struct Origin {
    child: Child,
    log: BufReader<ChildStderr>,
    address: String,
    faults: PathBuf,
    /// The log so far.
    pub(crate) said: String,
    _folder: tempfile::TempDir,
}

impl Origin {
    /// The next line of the log that holds a text.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {
            self.said += &line;
            if line.contains(text) {
                return line;
            }
            line.clear();
        }
        panic!("the log ended without {text:?}:\n{}", self.said);
    }

    /// From now on work on a device fails.
    pub(crate) fn lose(&self, device: usize) {
        std::fs::write(&self.faults, device.to_string()).unwrap();
    }

    /// From now on a device works once it is opened afresh.
    pub(crate) fn repair(&self) {
        std::fs::remove_file(&self.faults).unwrap();
    }

    /// Status and body of an answer.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\n"), "")
    }

    /// Status and body of what becomes of a small brief.
    pub(crate) fn write(&self) -> (u16, String) {
        let brief = r#"{"channel": "push", "variants": 1, "seed": 7, "product": {"name": "Kettle", "description": "It boils"}}"#;
        let head = format!(
            "POST /v1/copy HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            brief.len()
        );
        self.ask(&head, brief)
    }

    fn ask(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{head}host: o\r\nconnection: close\r\n\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Whether a metric has a value.
    pub(crate) fn has(&self, metric: &str) -> bool {
        self.get("/metrics").1.lines().any(|line| line == metric)
    }

    /// Waits until a metric has a value.
    pub(crate) fn until(&self, metric: &str) {
        let begun = Instant::now();
        while !self.has(metric) {
            assert!(begun.elapsed() < PATIENCE, "{metric} is not in:\n{}", self.get("/metrics").1);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

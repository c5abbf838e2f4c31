//! `cargo dev up` as a supervisor: what it starts, prints, and leaves behind. The services are small doubles, which a
//! double of cargo "builds"; the real ones run in the workspace's own integration tests.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Answers every request with 200 on the port that the environment or the arguments name.
const SERVES: &str = r#"#!/usr/bin/env python3
import http.server, os, sys
print("I am", os.path.basename(sys.argv[0]), flush=True)
address = os.environ.get("ADLIB_LISTEN") or sys.argv[sys.argv.index("--listen") + 1]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/end":
            os._exit(7)
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(address.split(":")[1])), Handler).serve_forever()
"#;
const FAILS: &str = "#!/bin/sh\necho the weights are made of cheese >&2\nexit 3\n";

/// A running `cargo dev up` in an empty home.
struct Up {
    home: TempDir,
    process: Child,
    edge_port: u16,
    origin_port: u16,
}

impl Up {
    fn with_origin(origin: &str) -> Self {
        let home = TempDir::new().unwrap();
        let script = |name: &str, text: &str| {
            let path = home.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let made =
            ["origin", "edge-host"].map(|name| script(name, if name == "origin" { origin } else { SERVES }));
        let component = component();
        let names: Vec<_> =
            made.iter().chain([&component]).map(|path| format!("\"{}\"", path.display())).collect();
        let message = format!(r#"{{"reason":"compiler-artifact","filenames":[{}]}}"#, names.join(","));
        let cargo = script("cargo", &format!("#!/bin/sh\necho '{message}'\n"));
        let (edge_port, origin_port) = (free_port(), free_port());
        let process = Command::new(env!("CARGO_BIN_EXE_adlib-dev"))
            .args(["up", "--runtime", "embedded", "--model", "a/b"])
            .args(["--edge-port", &edge_port.to_string(), "--origin-port", &origin_port.to_string()])
            .env("HOME", home.path())
            .env("CARGO", cargo)
            .env_remove("XDG_STATE_HOME")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { home, process, edge_port, origin_port }
    }

    /// Reads until everything runs, and returns what was printed.
    fn ready(&mut self) -> String {
        let mut printed = String::new();
        let mut output = BufReader::new(self.process.stdout.take().unwrap());
        while !printed.contains("Ctrl-C") {
            assert_ne!(output.read_line(&mut printed).unwrap(), 0, "it ended early: {printed}");
        }
        // Whoever writes must be able to go on writing.
        thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        printed
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.process.id().try_into().unwrap()).unwrap(), signal).unwrap();
    }

    /// Waits for its end; returns how it ended and what it said on standard error.
    fn end(&mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.process.wait().unwrap(), said)
    }

    fn serves(port: u16) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    }

    fn assert_nothing_is_left(&self) {
        let start = Instant::now();
        while [self.edge_port, self.origin_port].into_iter().any(Self::serves) {
            assert!(start.elapsed() < Duration::from_secs(10), "a service is still there");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Only of use when a test failed before the process ended; its services end with it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the manifest expects the component, which then need not be copied anywhere.
fn component() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    root.join("target/wasm32-wasip2/component/adlib_edge.wasm")
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

#[test]
fn it_prints_address_and_key_and_stops_all_when_asked() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut up = Up::with_origin(SERVES);
        let printed = up.ready();
        let key = fs::read_to_string(up.home.path().join(".local/state/adlib/development-key")).unwrap();
        assert!(printed.contains(&format!("authorization: Bearer {key}")), "{printed}");
        assert!(printed.contains(&format!("curl -i http://127.0.0.1:{}/v1/copy", up.edge_port)), "{printed}");
        up.signal(signal);
        let (status, said) = up.end();
        assert!(status.success(), "{status} {said}");
        up.assert_nothing_is_left();
    }
}

#[test]
fn it_leaves_nothing_behind_when_it_is_killed() {
    let mut up = Up::with_origin(SERVES);
    up.ready();
    up.signal(Signal::KILL);
    up.end();
    up.assert_nothing_is_left();
}

#[test]
fn a_service_that_does_not_start_shows_the_end_of_its_log() {
    let mut up = Up::with_origin(FAILS);
    let (status, said) = up.end();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("the origin ended with exit status: 3"), "{said}");
    assert!(said.contains("made of cheese"), "{said}");
    up.assert_nothing_is_left();
}

#[test]
fn a_service_that_ends_later_takes_the_other_with_it() {
    let mut up = Up::with_origin(SERVES);
    up.ready();
    // The double ends without an answer.
    let _ = minreq::get(format!("http://127.0.0.1:{}/end", up.edge_port)).with_timeout(2).send();
    let (status, said) = up.end();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("the edge ended with exit status: 7") && said.contains("I am edge-host"), "{said}");
    up.assert_nothing_is_left();
}

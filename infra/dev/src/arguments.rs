//! What was given on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use adlib_shared::api_key::Kind;
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

/// Build, run and test Adlib on this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo dev", bin_name = "cargo dev", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Fetch what is missing, build, and run origin and edge until Ctrl-C
    Up(Up),
    /// Run every test of the workspace
    Test(Test),
    /// Run the fuzz targets, each for a while
    Fuzz(Fuzz),
    /// Measure a part of Adlib beside its peers
    Bench(Bench),
    /// Check formatting, lints, dependencies, style and layering
    Check,
    /// Make a key for the edge's variable `api_keys`, hashed under `SPIN_VARIABLE_KEY_PEPPER`
    Key(Key),
    /// Fetch the default model into the cache and print its path
    Model,
    /// Become another program that ends when its parent does (used by `up` to start its services)
    #[command(hide = true)]
    ExecWithParent(ExecWithParent),
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// What runs the edge component: `spin`, or the host in edge/host; by default spin if it is on the PATH
    #[arg(long, value_enum)]
    pub(crate) runtime: Option<Runtime>,
    /// A GGUF file, a Hugging Face folder, or owner/name of a model on the Hugging Face hub
    #[arg(long, value_name = "PATH|OWNER/NAME")]
    pub(crate) model: Option<String>,
    /// The port of the edge on 127.0.0.1
    #[arg(long, default_value_t = 3000, value_parser = value_parser!(u16).range(1..))]
    pub(crate) edge_port: u16,
    /// The port of the origin on 127.0.0.1
    #[arg(long, default_value_t = 8080, value_parser = value_parser!(u16).range(1..))]
    pub(crate) origin_port: u16,
    /// Where keys, logs and the edge's cache live [default: $XDG_STATE_HOME/adlib or ~/.local/state/adlib]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// The `spin` on the PATH
    Spin,
    /// The native host in edge/host, which runs the same component
    Embedded,
}

#[derive(Debug, Args)]
pub(crate) struct Key {
    /// Whose key it is, what it is called, and what it may be used for (copy, check, jobs, admin); copy by default
    #[arg(value_name = "TENANT:NAME[:SCOPE+SCOPE]")]
    pub(crate) owner: String,
    /// What it is for
    #[arg(long, value_enum, default_value_t = KeyKind::Live)]
    pub(crate) kind: KeyKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    /// Development and tests
    Test,
    /// Real traffic
    Live,
}

impl From<KeyKind> for Kind {
    fn from(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Test => Self::Test,
            KeyKind::Live => Self::Live,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Passed on to `cargo test` and, after a further `--`, to the test binaries
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub(crate) rest: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// The targets; all of them where none is named
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// How long each of them runs
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// What to measure
    #[arg(value_enum)]
    pub(crate) what: Measurement,
    /// Passed on to the measurement; `-- --help` lists what it takes
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub(crate) rest: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measurement {
    /// Prompt and decode speed, beside llama.cpp
    Engine,
    /// Cache hits a second, and what the edge adds to a miss
    Edge,
    /// Faults of the copy that the model writes for the evaluation briefs
    Copy,
}

impl Measurement {
    /// The binary of `benches/` that measures it.
    pub(crate) fn binary(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Edge => "edge",
            Self::Copy => "copy",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ExecWithParent {
    /// The process id of the parent
    pub(crate) parent: u32,
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub(crate) command: Vec<OsString>,
}

//! What was given on the command line.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

/// Build, run and test Adlib on this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo dev", bin_name = "cargo dev", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run every test of the workspace
    Test(Test),
    /// Check formatting, lints, dependencies, style and layering
    Check,
    /// Fetch the default model into the cache and print its path
    Model,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Passed on to `cargo test` and, after a further `--`, to the test binaries
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub(crate) rest: Vec<OsString>,
}

//! `cargo dev bench`: the measurements of `benches/`.

use std::env;

use crate::arguments::Bench;
use crate::command;
use crate::error::Error;
use crate::model;
use crate::workspace::Workspace;

/// The variable that names the model to tests and measurements alike.
const MODEL: &str = "ADLIB_MODEL";

/// Fetches what the measurement needs, then builds and runs it with optimisation.
pub(crate) fn run(workspace: &Workspace, options: &Bench) -> Result<(), Error> {
    let mut cargo = workspace.cargo();
    if env::var_os(MODEL).is_none() {
        cargo.env(MODEL, model::fetch()?);
    }
    let bin = options.what.binary();
    cargo.args(["run", "--release", "--package", "adlib-benches", "--bin", bin, "--"]).args(&options.rest);
    command::run(&mut cargo)
}

//! `cargo dev bench`: the measurements of `benches/`.

use std::env;

use crate::arguments::{Bench, Measurement};
use crate::command;
use crate::component;
use crate::error::Error;
use crate::model;
use crate::toolchain;
use crate::workspace::Workspace;

/// The variables that name the model and the component, to tests and measurements alike.
const MODEL: &str = "ADLIB_MODEL";
const COMPONENT: &str = "ADLIB_EDGE_COMPONENT";
/// The variable that names the component that the edge is measured against.
const HELLO: &str = "ADLIB_HELLO_COMPONENT";

/// Fetches and builds what the measurement needs, then runs it with optimisation.
pub(crate) fn run(workspace: &Workspace, options: &Bench) -> Result<(), Error> {
    let mut cargo = workspace.cargo();
    match options.what {
        Measurement::Edge => {
            toolchain::ensure_wasm_target()?;
            if env::var_os(COMPONENT).is_none() {
                cargo.env(COMPONENT, component::build(workspace)?);
            }
            if env::var_os(HELLO).is_none() {
                cargo.env(HELLO, component::build_hello(workspace)?);
            }
        }
        Measurement::Copy | Measurement::Engine if env::var_os(MODEL).is_none() => {
            cargo.env(MODEL, model::fetch()?);
        }
        _ => {}
    }
    let bin = options.what.binary();
    cargo.args(["run", "--release", "--package", "adlib-benches", "--bin", bin]);
    if !matches!(options.what, Measurement::Edge) {
        // Without the edge's host, which is minutes of compiling.
        cargo.arg("--no-default-features");
    }
    cargo.arg("--").args(&options.rest);
    command::run(&mut cargo)
}

//! `cargo dev test`: every test of the workspace.

mod tally;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::arguments::Test;
use crate::command;
use crate::compiler;
use crate::component;
use crate::error::Error;
use crate::model;
use crate::program::Program;
use crate::steps::Steps;
use crate::toolchain;
use crate::workspace::Workspace;
use tally::Tally;

/// Programs that tests start.
const PROGRAMS: [Program; 2] = [
    Program { name: "redis-server", package: "redis-server" },
    // Builds the CUDA kernels for the simulator.
    Program { name: "c++", package: "g++" },
];

/// Installs and builds what the tests need, then runs them.
pub(crate) fn run(workspace: &Workspace, options: &Test) -> Result<(), Error> {
    let mut steps = Steps::new(6);
    steps.next("the programs that tests start");
    for program in &PROGRAMS {
        // Only the tests that need it fail without it, and they say so.
        program.ensure();
    }
    steps.next("the default model");
    let model = model::fetch()?;
    steps.next("the CUDA compiler");
    let compiler = compiler::fetch()?;
    steps.next("building the edge component");
    toolchain::ensure_wasm_target()?;
    let component = component::build(workspace)?;
    // Everything, so that the programs are there which a part of the tests, chosen on the command line, starts.
    steps.next("building the tests");
    command::run(workspace.cargo().args(["test", "--workspace", "--no-run", "--quiet"]))?;
    steps.next("tests");
    let mut cargo = workspace.cargo();
    cargo
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(&options.rest)
        .env("ADLIB_MODEL", model)
        .env("ADLIB_EDGE_COMPONENT", component);
    if let Some(compiler) = compiler {
        cargo.env("ADLIB_NVRTC", compiler);
    }
    run_counting(&mut cargo)
}

/// Runs cargo, passes its output through, and closes with the sum over all test binaries.
fn run_counting(cargo: &mut Command) -> Result<(), Error> {
    let not_run = |source| Error::CommandNotRun { command: String::from("cargo test"), source };
    let mut child = cargo.stdout(Stdio::piped()).spawn().map_err(not_run)?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(not_run)?;
            tally.read(&line);
            println!("{line}");
        }
    }
    let status = child.wait().map_err(not_run)?;
    println!("{tally}");
    if status.success() {
        Ok(())
    } else {
        Err(Error::CommandFailed { command: command::describe(cargo), status })
    }
}

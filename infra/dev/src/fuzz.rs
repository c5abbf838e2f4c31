//! `cargo dev fuzz`: the targets of tests/fuzz under libFuzzer, each for a bounded time.

mod trial;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::{env, thread};

use crate::arguments::Fuzz;
use crate::artifact;
use crate::command;
use crate::error::Error;
use crate::program::Program;
use crate::workspace::Workspace;
use trial::Trial;

/// Builds libFuzzer.
const COMPILER: Program = Program { name: "c++", package: "g++" };
/// What lets libFuzzer see which code an input reaches and what is compared there: a pass of LLVM's that every toolchain
/// has. Comparisons of bytes stay calls, which libFuzzer listens to; otherwise no word of more than eight bytes is found.
const COVERAGE: &str = "build.rustflags=['-Cpasses=sancov-module', '-Cllvm-args=-sanitizer-coverage-level=4', \
    '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters', '-Cllvm-args=-sanitizer-coverage-pc-table', \
    '-Cllvm-args=-sanitizer-coverage-trace-compares', '-Cllvm-args=-max-loads-per-memcmp=0']";

/// Builds the targets, then runs those that are named, or all of them, as many at once as there are cores.
pub(crate) fn run(workspace: &Workspace, options: &Fuzz) -> Result<(), Error> {
    COMPILER.ensure();
    let folder = folder(workspace);
    let program = build(workspace, &folder)?;
    let known = names(&program)?;
    if let Some(unknown) = options.targets.iter().find(|name| !known.contains(name)) {
        return Err(Error::NoFuzzTarget { given: unknown.clone(), known: known.join(", ") });
    }
    let chosen = if options.targets.is_empty() { known } else { options.targets.clone() };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{} targets for {} s each, {cores} at once, in {}",
        chosen.len(),
        options.seconds,
        folder.display()
    );
    let (waiting, failed) = (Mutex::new(VecDeque::from(chosen)), Mutex::new(Vec::new()));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = || {
        while let Some(name) = next() {
            let outcome = Trial::new(&name, &folder).run(&program, options.seconds);
            match outcome {
                Ok(summary) => println!("{name:<12} {summary}"),
                Err(error) => {
                    println!("{name:<12} {error}");
                    failed.lock().unwrap_or_else(PoisonError::into_inner).push(name);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failed.is_empty() { Ok(()) } else { Err(Error::FuzzFailed { names: failed.join(", ") }) }
}

/// Where everything of fuzzing lies. What is compiled for it is compiled otherwise than for all else, so it lies apart.
fn folder(workspace: &Workspace) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    workspace.root().join(target).join("fuzz")
}

fn build(workspace: &Workspace, folder: &Path) -> Result<PathBuf, Error> {
    let folder = folder.join("build");
    let folder = folder.to_string_lossy();
    // With a target named, build scripts and macros, which run without libFuzzer, are compiled as ever.
    let arguments = [
        ["--package", "adlib-fuzz"],
        ["--features", "libfuzzer"],
        ["--target", "host-tuple"],
        ["--target-dir", folder.as_ref()],
        ["--config", COVERAGE],
    ];
    artifact::build(workspace, "build", arguments.as_flattened())?.named("adlib-fuzz")
}

/// The targets, which the program names where none is chosen.
fn names(program: &Path) -> Result<Vec<String>, Error> {
    let mut command = Command::new(program);
    command.env_remove("ADLIB_FUZZ_TARGET");
    let output = command
        .output()
        .map_err(|source| Error::CommandNotRun { command: command::describe(&command), source })?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

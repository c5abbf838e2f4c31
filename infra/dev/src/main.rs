//! The `cargo dev` command: what a person who works on Adlib, or tries it, runs.

mod arguments;
mod artifact;
mod bench;
mod check;
mod command;
mod compiler;
mod component;
mod error;
mod fuzz;
mod hexadecimal;
mod home;
mod interrupt;
mod key;
mod model;
mod package;
mod parent;
mod program;
mod readiness;
mod service;
mod state;
mod steps;
mod test;
mod toolchain;
mod up;
mod workspace;

use std::process::ExitCode;

use arguments::{Arguments, Verb};
use clap::Parser;
use error::Error;
use workspace::Workspace;

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<(), Error> {
    let workspace = Workspace::locate();
    match verb {
        Verb::Up(options) => up::run(&workspace, &options),
        Verb::Test(options) => test::run(&workspace, &options),
        Verb::Fuzz(options) => fuzz::run(&workspace, &options),
        Verb::Bench(options) => bench::run(&workspace, &options),
        Verb::Check => check::run(&workspace),
        Verb::Key(options) => key::make(&options),
        Verb::Model => model::fetch().map(|path| println!("{}", path.display())),
        Verb::ExecWithParent(options) => Err(parent::exec(&options)),
    }
}

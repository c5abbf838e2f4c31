//! The `cargo dev` command: what a person who works on Adlib, or tries it, runs.

mod arguments;
mod artifact;
mod check;
mod command;
mod component;
#[expect(dead_code, reason = "`cargo dev up` comes with the edge")]
mod error;
mod hexadecimal;
#[expect(dead_code, reason = "`cargo dev up` comes with the edge")]
mod home;
mod model;
mod program;
#[expect(dead_code, reason = "`cargo dev up` comes with the edge")]
mod steps;
mod test;
mod toolchain;
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
        Verb::Test(options) => test::run(&workspace, &options),
        Verb::Check => check::run(&workspace),
        Verb::Model => model::fetch().map(|path| println!("{}", path.display())),
    }
}

//! `cargo dev check`: everything that is known about the sources without running the product.

use crate::command;
use crate::error::Error;
use crate::program;
use crate::toolchain::{self, WASM_TARGET};
use crate::workspace::Workspace;

/// The version of cargo-deny that the policy in deny.toml was written for.
const CARGO_DENY: &str = "cargo-deny@0.20.2";

/// Runs every check, also after one failed, and names those that did.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    toolchain::ensure_wasm_target()?;
    ensure_cargo_deny(workspace)?;
    let checks: [(&str, &[&str]); 6] = [
        ("formatting", &["fmt", "--all", "--check"]),
        ("lints", &["clippy", "--workspace", "--all-targets", "--locked"]),
        (
            "lints of the edge component",
            &["clippy", "--package", "adlib-edge", "--target", WASM_TARGET, "--locked"],
        ),
        (
            "lints of the fuzz targets",
            &["clippy", "--package", "adlib-fuzz", "--features", "libfuzzer", "--locked"],
        ),
        ("dependencies", &["deny", "--locked", "check", "bans", "licenses", "sources"]),
        (
            "style and layering",
            &["test", "--quiet", "--package", "adlib-dev", "--test", "sources", "--locked"],
        ),
    ];
    let mut failed = Vec::new();
    for (name, arguments) in checks {
        println!("== {name}: cargo {}", arguments.join(" "));
        let mut cargo = workspace.cargo();
        cargo.args(arguments);
        if arguments[0] == "clippy" {
            cargo.args(["--", "--deny", "warnings"]);
        }
        if let Err(error) = command::run(&mut cargo) {
            println!("{error}");
            failed.push(name);
        }
    }
    match failed.len() {
        0 => Ok(()),
        count => Err(Error::ChecksFailed { count, names: failed.join(", ") }),
    }
}

/// Installs cargo-deny beside cargo's other commands where it is missing. Without optimisation it compiles in a
/// minute or two and is quick enough.
fn ensure_cargo_deny(workspace: &Workspace) -> Result<(), Error> {
    if program::on_path("cargo-deny").is_some() {
        return Ok(());
    }
    println!("cargo-deny is missing; installing {CARGO_DENY}");
    let mut cargo = workspace.cargo();
    cargo.args(["install", "--locked", "--debug", CARGO_DENY]);
    // Its hundreds of files have no place among those of the project; cargo builds in a folder for once.
    cargo.env_remove("CARGO_TARGET_DIR");
    command::run(&mut cargo)
}

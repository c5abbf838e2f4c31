//! The Rust target of the edge component.

use std::path::PathBuf;
use std::process::Command;

use crate::command;
use crate::error::Error;
use crate::program;

/// What the component is compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-wasip2";

/// Adds the target through rustup where it is missing.
pub(crate) fn ensure_wasm_target() -> Result<(), Error> {
    if has_wasm_target() {
        return Ok(());
    }
    if program::on_path("rustup").is_none() {
        return Err(Error::NoTarget { target: WASM_TARGET });
    }
    eprintln!("adding the Rust target {WASM_TARGET}");
    command::run(Command::new("rustup").args(["target", "add", WASM_TARGET]))
}

/// Asks the compiler itself, so that a toolchain that did not come from rustup counts as well.
fn has_wasm_target() -> bool {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", WASM_TARGET]).output();
    output.is_ok_and(|output| {
        let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        output.status.success() && folder.is_dir()
    })
}

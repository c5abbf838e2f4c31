//! The components, compiled to where their manifests expect them.

use std::fs;
use std::path::PathBuf;

use crate::artifact;
use crate::error::Error;
use crate::toolchain::WASM_TARGET;
use crate::workspace::Workspace;

/// The profile of Cargo.toml, and the folder that cargo names after it.
const PROFILE: &str = "component";

/// Builds the edge and returns its path.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf, Error> {
    build_one(workspace, "adlib-edge", "adlib_edge.wasm")
}

/// Builds the component that the edge is measured against.
pub(crate) fn build_hello(workspace: &Workspace) -> Result<PathBuf, Error> {
    build_one(workspace, "adlib-benches-hello", "adlib_benches_hello.wasm")
}

fn build_one(workspace: &Workspace, package: &str, file: &str) -> Result<PathBuf, Error> {
    // Only what is nothing but a component is optimised across crates at the end.
    let of_package = ["--package", package, "--lib", "--crate-type", "cdylib"];
    let arguments = [&of_package[..], &["--target", WASM_TARGET, "--profile", PROFILE]].concat();
    let built = artifact::build(workspace, "rustc", &arguments)?.named(file)?;
    let expected = workspace.root().join("target").join(WASM_TARGET).join(PROFILE).join(file);
    if built != expected {
        // Cargo builds elsewhere, for example because of CARGO_TARGET_DIR; the manifest names one place.
        let folder = expected.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        fs::copy(&built, &expected).map_err(Error::file("write", &expected))?;
    }
    Ok(expected)
}

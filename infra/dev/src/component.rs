//! The edge component, compiled to where spin.toml expects it.

use std::fs;
use std::path::PathBuf;

use crate::artifact;
use crate::error::Error;
use crate::toolchain::WASM_TARGET;
use crate::workspace::Workspace;

const PACKAGE: &str = "adlib-edge";
const FILE: &str = "adlib_edge.wasm";

/// Builds the component and returns its path.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf, Error> {
    let built = artifact::build(workspace, &["--release", "--package", PACKAGE, "--target", WASM_TARGET])?
        .named(FILE)?;
    let expected = workspace.root().join("target").join(WASM_TARGET).join("release").join(FILE);
    if built != expected {
        // Cargo builds elsewhere, for example because of CARGO_TARGET_DIR; the manifest names one place.
        let folder = expected.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        fs::copy(&built, &expected).map_err(Error::file("write", &expected))?;
    }
    Ok(expected)
}

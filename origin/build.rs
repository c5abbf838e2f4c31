//! Builds the kernels' machine code into the origin where NVIDIA's run-time compiler is at hand.
//!
//! `ADLIB_EMBED_CUBINS=1` asks for it, and is an error where there is no compiler; `0` forbids it. Where it is absent a
//! release build takes what it finds, and any other build does without, to be quick. Compiled kernels are kept in the
//! user's cache, so that a build compiles only what has changed.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

#[path = "src/backend/cuda/architecture.rs"]
#[expect(dead_code, reason = "the binary looks an architecture up by its device")]
mod architecture;
#[path = "src/backend/cuda/compilation.rs"]
mod compilation;
#[path = "src/backend/cuda/nvrtc.rs"]
mod nvrtc;
#[path = "src/backend/cuda/sources.rs"]
mod sources;

use architecture::Architecture;

/// The variable that says whether kernels are built in.
const EMBED: &str = "ADLIB_EMBED_CUBINS";

fn main() {
    for variable in [EMBED, compilation::NVRTC] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    // Of the sources the script itself is made, so that a change builds and runs it again.
    println!("cargo::rerun-if-changed=build.rs");
    let (wanted, required) = match env::var(EMBED).as_deref() {
        Ok("1") => (true, true),
        Ok("0") => (false, false),
        Ok(other) => panic!("{EMBED} is {other:?}; allowed: 0 or 1"),
        Err(_) => (env::var("PROFILE").as_deref() == Ok("release"), false),
    };
    let compiler = if wanted { Some(compilation::compiler()) } else { None };
    let built_in = match compiler {
        Some(Ok(nvrtc)) => Architecture::SHIPPED.map(|architecture| built_in(&nvrtc, architecture)).concat(),
        Some(Err(error)) if required => panic!("{EMBED} is 1, but {error}"),
        _ => String::new(),
    };
    fs::write(out("built_in.rs"), format!("&[\n{built_in}]\n")).expect("the build's folder can be written");
}

/// Writes the machine code for an architecture; returns its entry in the list of what is built in.
fn built_in(nvrtc: &nvrtc::Nvrtc, architecture: Architecture) -> String {
    let name = architecture.name();
    let kernels = compilation::kernels(nvrtc, name).unwrap_or_else(|error| panic!("{name}: {error}"));
    if let Some(error) = &kernels.unkept {
        println!("cargo::warning=compiled kernels cannot be kept ({error}); the next build compiles again");
    }
    let mut images = String::new();
    for (file, image) in sources::KERNELS.iter().zip(&kernels.images) {
        let path = out(&format!("{}-{name}.cubin", file.name));
        fs::write(&path, image).expect("the build's folder can be written");
        writeln!(images, "        include_bytes!({:?}),", path.display().to_string()).expect("text can grow");
    }
    let (compiler, digest) = (kernels.compiler, compilation::digest(name));
    format!(
        "    BuiltIn {{\n        architecture: {name:?},\n        compiler: {compiler:?},\n        digest: {digest:?},\n        images: &[\n{images}        ],\n    }},\n"
    )
}

/// A file in the build's folder.
fn out(name: &str) -> PathBuf {
    PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the build's folder")).join(name)
}

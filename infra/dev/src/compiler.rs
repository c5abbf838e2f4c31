//! NVIDIA's run-time compiler, with which the tests compile the CUDA kernels. No part of what is built.

use std::path::PathBuf;

use crate::error::Error;
use crate::package::{Package, Pinned};

const COMPILER: Pinned = Pinned {
    name: "libnvrtc.so.13",
    entry: "nvidia/cu13/lib/libnvrtc.so.13",
    bytes: 141_163_664,
    sha256: "98a317ff5d2176dee5a04235c6663f8d553d5ed95b3104cbf7fb198cbf76a10d",
};

/// What the compiler loads from the folder that it lies in.
const BUILT_IN: Pinned = Pinned {
    name: "libnvrtc-builtins.so.13.5",
    entry: "nvidia/cu13/lib/libnvrtc-builtins.so.13.5",
    bytes: 7_268_296,
    sha256: "6cecb2fd3e562bab1cb1c6e192f8f828157683c8febb22a00e178f9faf4e7f6a",
};

const PACKAGE: Package = Package {
    requirement: "nvidia-cuda-nvrtc==13.5.37",
    folder: "nvrtc",
    what: "the CUDA compiler that the kernels are tested with (56 MB)",
    otherwise: "A libnvrtc that is already here can be used by `cargo test` with ADLIB_NVRTC=PATH",
    files: &[COMPILER, BUILT_IN],
};

/// Returns the path of the compiler's library, fetching it when it is not there or not whole. The pinned files are those
/// of one system; elsewhere the kernels' compilation is not tested.
pub(crate) fn fetch() -> Result<Option<PathBuf>, Error> {
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        Ok(Some(PACKAGE.fetch()?.join(COMPILER.name)))
    } else {
        Ok(None)
    }
}

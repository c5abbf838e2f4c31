//! The kernels' machine code for a device: built into the binary, or compiled at start and kept on disk.

use super::architecture::Architecture;
use super::compilation::{self, Kernels};
use super::nvrtc::NvrtcError;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Kernels for an architecture that the build script had a compiler for.
struct BuiltIn {
    architecture: &'static str,
    /// The version of CUDA that they were compiled by.
    compiler: (i32, i32),
    /// Names what they were made from.
    digest: &'static str,
    images: &'static [&'static [u8]],
}

/// What the build script has built in: nothing where it had no compiler, or was not to use it.
const BUILT_IN: &[BuiltIn] = include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// The kernels for devices of a compute capability; made once in a process, whoever asks.
pub(crate) fn for_capability(capability: (i32, i32)) -> Result<Arc<Kernels>, NvrtcError> {
    static MADE: Mutex<BTreeMap<(i32, i32), Arc<Kernels>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kernels) = made.get(&capability) {
        return Ok(Arc::clone(kernels));
    }
    let began = Instant::now();
    let (kernels, built_in) = match built_in(BUILT_IN, capability) {
        Some(kernels) => (kernels, true),
        None => (compiled(capability)?, false),
    };
    let took_ms = began.elapsed().as_millis() as u64;
    tracing::info!(built_in, took_ms, "the kernels are at hand");
    let kernels = Arc::new(kernels);
    made.insert(capability, Arc::clone(&kernels));
    Ok(kernels)
}

/// Those of the built-in kernels that run on a device, if they are made from the sources that this binary has.
fn built_in(all: &[BuiltIn], capability: (i32, i32)) -> Option<Kernels> {
    let architecture = Architecture::to_run_on(capability)?.name();
    let found = all.iter().find(|kernels| kernels.architecture == architecture)?;
    if found.digest != compilation::digest(architecture) {
        tracing::warn!(architecture, "the built-in kernels are made from other sources, and are not used");
        return None;
    }
    let images = found.images.iter().map(|image| image.to_vec()).collect();
    Some(Kernels { images, compiler: found.compiler, log: String::new(), unkept: None })
}

/// The kernels made for just these devices, now or at an earlier start.
fn compiled((major, minor): (i32, i32)) -> Result<Kernels, NvrtcError> {
    let exact = Architecture::SHIPPED.into_iter().find(|shipped| shipped.capability() == (major, minor));
    let name = exact.map_or_else(|| format!("sm_{major}{minor}"), |exact| exact.name().to_owned());
    let kernels = compilation::kernels(&compilation::compiler()?, &name)?;
    tracing::debug!(architecture = name, log = kernels.log, "the compiler's report");
    if let Some(error) = &kernels.unkept {
        tracing::warn!(%error, "compiled kernels cannot be kept; the next start compiles again");
    }
    Ok(kernels)
}

#[test]
fn built_in_kernels_are_taken_where_they_run_and_are_of_these_sources() {
    let of = |architecture, digest| BuiltIn { architecture, compiler: (13, 0), digest, images: &[b"code"] };
    let (old, new) = (compilation::digest("sm_80").leak(), compilation::digest("sm_90a").leak());
    let all = [of("sm_80", old), of("sm_89", "of other sources"), of("sm_90a", new)];
    for capability in [(8, 0), (8, 6), (9, 0)] {
        let kernels = built_in(&all, capability).expect("they run there");
        assert_eq!((kernels.images, kernels.compiler), (vec![b"code".to_vec()], (13, 0)));
    }
    for capability in [(8, 9), (10, 0)] {
        assert!(built_in(&all, capability).is_none(), "{capability:?}");
    }
}

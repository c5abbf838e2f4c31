//! The kernels' machine code: from the cache on disk, or compiled now.

use super::nvrtc::{Compiled, Nvrtc, NvrtcError, OPTIONS, SourceFile};
use super::sources::{HEADERS, KERNELS};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The variable that names the compiler's library.
const NVRTC: &str = "ADLIB_NVRTC";

/// Names under which the system may have the library, the newest first.
const LIBRARIES: [&str; 3] = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"];

/// The compiler: the one that a variable names, the one in the user's cache, or the system's.
pub(crate) fn compiler() -> Result<Nvrtc, NvrtcError> {
    if let Some(path) = env::var_os(NVRTC) {
        return Nvrtc::open(Path::new(&path));
    }
    let cached = cache().map(|cache| cache.join("nvrtc").join(LIBRARIES[0])).filter(|path| path.exists());
    let names = LIBRARIES.into_iter().map(PathBuf::from);
    let mut outcome = Nvrtc::open(&cached.unwrap_or_else(|| LIBRARIES[0].into()));
    for name in names {
        outcome = outcome.or_else(|first| Nvrtc::open(&name).map_err(|_| first));
    }
    outcome
}

/// The kernels for one kind of device.
pub(crate) struct Kernels {
    /// Machine code of each file of kernels.
    pub(crate) images: Vec<Vec<u8>>,
    /// The version of CUDA that it was compiled by.
    pub(crate) compiler: (i32, i32),
}

/// The kernels for devices of a compute capability; made once in a process, whoever asks.
pub(crate) fn for_capability(capability: (i32, i32)) -> Result<Arc<Kernels>, NvrtcError> {
    static MADE: Mutex<BTreeMap<(i32, i32), Arc<Kernels>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kernels) = made.get(&capability) {
        return Ok(Arc::clone(kernels));
    }
    let nvrtc = compiler()?;
    let images = all(&nvrtc, &architecture(capability))?;
    let kernels = Arc::new(Kernels { images, compiler: nvrtc.version()? });
    made.insert(capability, Arc::clone(&kernels));
    Ok(kernels)
}

/// What the kernels are compiled for on a device of this compute capability.
fn architecture((major, minor): (i32, i32)) -> String {
    // Hopper's own instructions have an architecture of their own.
    let suffix = if (major, minor) == (9, 0) { "a" } else { "" };
    format!("sm_{major}{minor}{suffix}")
}

/// Machine code of every file of kernels for an architecture.
fn all(nvrtc: &Nvrtc, architecture: &str) -> Result<Vec<Vec<u8>>, NvrtcError> {
    let folder = cache().map(|cache| cache.join("kernels"));
    let folder = folder.as_deref();
    thread::scope(|scope| {
        let loads = KERNELS.map(|file| scope.spawn(move || one(nvrtc, file, architecture, folder)));
        loads.into_iter().map(|load| load.join().expect("a compilation does not panic")).collect()
    })
}

/// Machine code of one file of kernels.
fn one(
    nvrtc: &Nvrtc,
    file: SourceFile,
    architecture: &str,
    folder: Option<&Path>,
) -> Result<Vec<u8>, NvrtcError> {
    let path =
        folder.map(|folder| Ok::<_, NvrtcError>(folder.join(key(nvrtc, file, architecture)?))).transpose()?;
    if let Some(cubin) = path.as_ref().and_then(|path| fs::read(path).ok()) {
        return Ok(cubin);
    }
    let Compiled { cubin, log } = nvrtc.compile(file, &HEADERS, architecture)?;
    tracing::debug!(file = file.name, architecture, log, "compiled kernels");
    if let Some(path) = path
        && let Err(error) = store(&path, &cubin)
    {
        tracing::warn!(path = %path.display(), %error, "compiled kernels cannot be kept; the next start compiles again");
    }
    Ok(cubin)
}

/// The name under which a compilation is kept: all that it depends on.
fn key(nvrtc: &Nvrtc, file: SourceFile, architecture: &str) -> Result<String, NvrtcError> {
    let (major, minor) = nvrtc.version()?;
    let mut digest = Sha256::new_with_prefix(format!("{architecture} {major}.{minor}"));
    for text in OPTIONS.map(|option| option.to_string_lossy()) {
        digest.update(text.as_bytes());
        digest.update([0]);
    }
    for source in HEADERS.iter().chain([&file]) {
        digest.update((source.text.len() as u64).to_le_bytes());
        digest.update(source.text);
    }
    let name = file.name.trim_end_matches(".cu");
    let mut key = format!("{name}-{architecture}-");
    for byte in &digest.finalize()[..16] {
        write!(key, "{byte:02x}").expect("text can grow");
    }
    Ok(key + ".cubin")
}

/// Writes a file that is there whole or not at all.
fn store(path: &Path, cubin: &[u8]) -> std::io::Result<()> {
    let partial = path.with_extension(format!("{}.partial", process::id()));
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    fs::write(&partial, cubin)?;
    fs::rename(&partial, path)
}

/// The user's cache, as the XDG base directory specification draws it.
fn cache() -> Option<PathBuf> {
    let given = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = given.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("adlib"))
}

// The compiler that the tests fetch is that of one system.
#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn only_hopper_has_instructions_of_its_own() {
        assert_eq!(
            [(8, 0), (8, 9), (9, 0), (10, 0)].map(architecture),
            ["sm_80", "sm_89", "sm_90a", "sm_100"]
        );
    }

    #[test]
    fn a_compilation_is_kept_until_something_it_depends_on_changes() {
        let nvrtc = compiler().unwrap_or_else(|error| panic!("{error}; `cargo dev test` fetches it"));
        let folder = tempfile::tempdir().expect("a folder");
        let files = || fs::read_dir(folder.path()).expect("the folder").count();
        let small = SourceFile { name: "small.cu", text: "extern \"C\" __global__ void f() {}" };
        let first = one(&nvrtc, small, "sm_80", Some(folder.path())).expect("a cubin");
        assert!(first.starts_with(b"\x7fELF"));
        // What is read is what was kept: a mark in the file comes back.
        let path = folder.path().join(key(&nvrtc, small, "sm_80").expect("a key"));
        fs::write(&path, b"kept").expect("the file");
        assert_eq!(one(&nvrtc, small, "sm_80", Some(folder.path())).expect("the file"), b"kept");
        let changed = SourceFile { text: "extern \"C\" __global__ void g() {}", ..small };
        assert!(one(&nvrtc, changed, "sm_80", Some(folder.path())).expect("a cubin").starts_with(b"\x7fELF"));
        one(&nvrtc, small, "sm_89", Some(folder.path())).expect("a cubin");
        assert_eq!(files(), 3, "nothing but the three compilations");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_no_obstacle() {
        let nvrtc = compiler().unwrap_or_else(|error| panic!("{error}; `cargo dev test` fetches it"));
        let file = tempfile::NamedTempFile::new().expect("a file");
        let small = SourceFile { name: "small.cu", text: "extern \"C\" __global__ void f() {}" };
        assert!(one(&nvrtc, small, "sm_80", Some(&file.path().join("below"))).is_ok());
    }
}

//! From the kernels' sources to machine code, kept on disk. The build script uses this file too, to build the kernels in.

use super::nvrtc::{Compiled, Nvrtc, NvrtcError, OPTIONS, SourceFile};
use super::sources::{HEADERS, KERNELS};
use sha2::{Digest, Sha256};
use std::env;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;

/// The variable that names the compiler's library.
pub(crate) const NVRTC: &str = "ADLIB_NVRTC";

/// Names under which the system may have the library, the newest first.
const LIBRARIES: [&str; 3] = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"];

/// The kernels for one architecture.
#[derive(Debug)]
pub(crate) struct Kernels {
    /// Machine code of each file of kernels.
    pub(crate) images: Vec<Vec<u8>>,
    /// The version of CUDA that it was compiled by.
    pub(crate) compiler: (i32, i32),
    /// What the compiler said of what it compiled now.
    pub(crate) log: String,
    /// Why something is not kept that should be.
    pub(crate) unkept: Option<io::Error>,
}

/// Machine code of one file of kernels.
struct Image {
    cubin: Vec<u8>,
    log: String,
    unkept: Option<io::Error>,
}

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

/// The kernels for an architecture (`sm_80`), read from the user's cache or compiled and kept there.
pub(crate) fn kernels(nvrtc: &Nvrtc, architecture: &str) -> Result<Kernels, NvrtcError> {
    let folder = cache().map(|cache| cache.join("kernels"));
    let folder = folder.as_deref();
    let images: Result<Vec<_>, _> = thread::scope(|scope| {
        let images = KERNELS.map(|file| scope.spawn(move || image(nvrtc, file, architecture, folder)));
        images.into_iter().map(|image| image.join().expect("a compilation does not panic")).collect()
    });
    let compiler = nvrtc.version()?;
    let mut kernels = Kernels { images: Vec::new(), compiler, log: String::new(), unkept: None };
    for Image { cubin, log, unkept } in images? {
        kernels.images.push(cubin);
        kernels.log += &log;
        kernels.unkept = kernels.unkept.or(unkept);
    }
    Ok(kernels)
}

/// Names everything that the machine code for an architecture is made from.
pub(crate) fn digest(architecture: &str) -> String {
    let mut digest = Sha256::new();
    for file in KERNELS {
        take_in(&mut digest, file, architecture);
    }
    hexadecimal(&digest.finalize())
}

fn image(
    nvrtc: &Nvrtc,
    file: SourceFile,
    architecture: &str,
    folder: Option<&Path>,
) -> Result<Image, NvrtcError> {
    let path =
        folder.map(|folder| Ok::<_, NvrtcError>(folder.join(key(nvrtc, file, architecture)?))).transpose()?;
    if let Some(cubin) = path.as_ref().and_then(|path| fs::read(path).ok()) {
        return Ok(Image { cubin, log: String::new(), unkept: None });
    }
    let Compiled { cubin, log } = nvrtc.compile(file, &HEADERS, architecture)?;
    let unkept = path.and_then(|path| store(&path, &cubin).err());
    Ok(Image { cubin, log, unkept })
}

/// The name under which a compilation is kept: all that it depends on.
fn key(nvrtc: &Nvrtc, file: SourceFile, architecture: &str) -> Result<String, NvrtcError> {
    let (major, minor) = nvrtc.version()?;
    let mut digest = Sha256::new_with_prefix(format!("{major}.{minor}"));
    take_in(&mut digest, file, architecture);
    let name = file.name.trim_end_matches(".cu");
    Ok(format!("{name}-{architecture}-{}.cubin", hexadecimal(&digest.finalize()[..16])))
}

/// Takes a file of kernels into a digest, with all that a compiler is given beside it.
fn take_in(digest: &mut Sha256, file: SourceFile, architecture: &str) {
    let options = OPTIONS.iter().map(|option| option.to_bytes());
    let sources =
        HEADERS.iter().chain([&file]).flat_map(|source| [source.name.as_bytes(), source.text.as_bytes()]);
    for part in [architecture.as_bytes()].into_iter().chain(options).chain(sources) {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text can grow");
        text
    })
}

/// Writes a file that is there whole or not at all.
fn store(path: &Path, cubin: &[u8]) -> io::Result<()> {
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

    const SMALL: SourceFile = SourceFile { name: "small.cu", text: "extern \"C\" __global__ void f() {}" };

    fn found() -> Nvrtc {
        compiler().unwrap_or_else(|error| panic!("{error}; `cargo dev test` fetches it"))
    }

    #[test]
    fn a_compilation_is_kept_until_something_it_depends_on_changes() {
        let nvrtc = found();
        let folder = tempfile::tempdir().expect("a folder");
        let files = || fs::read_dir(folder.path()).expect("the folder").count();
        let made = |file, architecture| {
            image(&nvrtc, file, architecture, Some(folder.path())).expect("a cubin").cubin
        };
        assert!(made(SMALL, "sm_80").starts_with(b"\x7fELF"));
        // What is read is what was kept: a mark in the file comes back.
        let path = folder.path().join(key(&nvrtc, SMALL, "sm_80").expect("a key"));
        fs::write(&path, b"kept").expect("the file");
        assert_eq!(made(SMALL, "sm_80"), b"kept");
        let changed = SourceFile { text: "extern \"C\" __global__ void g() {}", ..SMALL };
        assert!(made(changed, "sm_80").starts_with(b"\x7fELF"));
        made(SMALL, "sm_89");
        assert_eq!(files(), 3, "nothing but the three compilations");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_no_obstacle() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let made = image(&found(), SMALL, "sm_80", Some(&file.path().join("below"))).expect("a cubin");
        assert!(made.unkept.is_some() && made.cubin.starts_with(b"\x7fELF"));
    }
}

//! NVIDIA's run-time compiler, loaded where it lies: from kernels to machine code for one architecture.
//!
//! Reference: "NVRTC", the part of the CUDA documentation that describes `nvrtc.h`.
#![expect(unsafe_code, reason = "the library is a C library, and it is loaded")]

use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr;

/// Options of every compilation beside the architecture. Without contraction a sum has the same bits in every kernel; the
/// assembler's report says what each kernel takes.
pub(crate) const OPTIONS: [&CStr; 3] = [c"--std=c++17", c"--fmad=false", c"--ptxas-options=-v"];

/// `nvrtcProgram`: a handle of the library's.
type Handle = *mut c_void;
/// `nvrtcResult`: 0 is success.
type Status = c_int;

/// A file by the name under which it is included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceFile {
    /// As in `#include "…"`.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) text: &'static str,
}

/// What the compiler made of a file of kernels.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// Machine code, an ELF file.
    pub(crate) cubin: Vec<u8>,
    /// What the compiler and the assembler said.
    pub(crate) log: String,
}

/// What the compiler refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NvrtcError {
    /// A library that cannot be loaded.
    #[error("cannot load the CUDA compiler {path} ({reason})", path = path.display())]
    Library {
        /// Where it should be.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },
    /// A function that failed.
    #[error("{function} failed with {status} ({reason}): {log}")]
    Failed {
        /// The function of the library.
        function: &'static str,
        /// What it returned.
        status: Status,
        /// The library's name for that.
        reason: String,
        /// The compiler's log, where there is one.
        log: String,
    },
}

/// Types of the functions in `nvrtc.h`.
mod api {
    use super::{Handle, Status};
    use std::ffi::{c_char, c_int};

    pub(super) type Version = unsafe extern "C" fn(*mut c_int, *mut c_int) -> Status;
    pub(super) type ErrorString = unsafe extern "C" fn(Status) -> *const c_char;
    pub(super) type Create = unsafe extern "C" fn(
        *mut Handle,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> Status;
    pub(super) type Destroy = unsafe extern "C" fn(*mut Handle) -> Status;
    pub(super) type Compile = unsafe extern "C" fn(Handle, c_int, *const *const c_char) -> Status;
    pub(super) type Size = unsafe extern "C" fn(Handle, *mut usize) -> Status;
    pub(super) type Copy = unsafe extern "C" fn(Handle, *mut c_char) -> Status;
}

/// The library and its functions.
pub(crate) struct Nvrtc {
    version: api::Version,
    error_string: api::ErrorString,
    create: api::Create,
    destroy: api::Destroy,
    compile: api::Compile,
    log_size: api::Size,
    log: api::Copy,
    cubin_size: api::Size,
    cubin: api::Copy,
    /// Keeps the functions where they are; last, so that it goes last.
    _library: Library,
}

/// A program of the library's, destroyed when dropped.
struct Program<'a> {
    nvrtc: &'a Nvrtc,
    handle: Handle,
}

impl Nvrtc {
    /// Loads the library (`libnvrtc.so.13` or its like).
    pub(crate) fn open(path: &Path) -> Result<Self, NvrtcError> {
        let missing = |error: libloading::Error| NvrtcError::Library {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        // SAFETY: the library's initialisers are those of NVIDIA's compiler, which ask for nothing of their process.
        let library = unsafe { Library::new(path) }.map_err(missing)?;
        // SAFETY: each type is the one that `nvrtc.h` declares for that name, unchanged since CUDA 11.1; the library stays
        // loaded as long as the functions, since both are fields of the same struct.
        unsafe {
            Ok(Self {
                version: *library.get(b"nvrtcVersion\0").map_err(missing)?,
                error_string: *library.get(b"nvrtcGetErrorString\0").map_err(missing)?,
                create: *library.get(b"nvrtcCreateProgram\0").map_err(missing)?,
                destroy: *library.get(b"nvrtcDestroyProgram\0").map_err(missing)?,
                compile: *library.get(b"nvrtcCompileProgram\0").map_err(missing)?,
                log_size: *library.get(b"nvrtcGetProgramLogSize\0").map_err(missing)?,
                log: *library.get(b"nvrtcGetProgramLog\0").map_err(missing)?,
                cubin_size: *library.get(b"nvrtcGetCUBINSize\0").map_err(missing)?,
                cubin: *library.get(b"nvrtcGetCUBIN\0").map_err(missing)?,
                _library: library,
            })
        }
    }

    /// Its version, major and minor.
    pub(crate) fn version(&self) -> Result<(i32, i32), NvrtcError> {
        let (mut major, mut minor) = (0, 0);
        // SAFETY: both pointers are to integers that live through the call.
        let status = unsafe { (self.version)(&raw mut major, &raw mut minor) };
        self.check("nvrtcVersion", status, String::new)?;
        Ok((major, minor))
    }

    /// Compiles a file of kernels for an architecture (`sm_80`), with the headers that it includes.
    pub(crate) fn compile(
        &self,
        source: SourceFile,
        headers: &[SourceFile],
        architecture: &str,
    ) -> Result<Compiled, NvrtcError> {
        let program = Program::new(self, source, headers)?;
        let architecture = text(&format!("--gpu-architecture={architecture}"));
        let options: Vec<_> =
            std::iter::once(architecture.as_c_str()).chain(OPTIONS).map(CStr::as_ptr).collect();
        // SAFETY: the handle is alive; there are as many options as said, each a string that lives through the call.
        let status = unsafe { (self.compile)(program.handle, options.len() as c_int, options.as_ptr()) };
        let log = || program.bytes("nvrtcGetProgramLog", self.log_size, self.log).map(|log| printable(&log));
        self.check("nvrtcCompileProgram", status, || log().unwrap_or_default())?;
        Ok(Compiled { cubin: program.bytes("nvrtcGetCUBIN", self.cubin_size, self.cubin)?, log: log()? })
    }

    fn check(
        &self,
        function: &'static str,
        status: Status,
        log: impl FnOnce() -> String,
    ) -> Result<(), NvrtcError> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: the library returns a string of its own for every status, also for one that it does not know.
        let reason = unsafe { CStr::from_ptr((self.error_string)(status)) }.to_string_lossy().into_owned();
        Err(NvrtcError::Failed { function, status, reason, log: log() })
    }
}

impl<'a> Program<'a> {
    fn new(nvrtc: &'a Nvrtc, source: SourceFile, headers: &[SourceFile]) -> Result<Self, NvrtcError> {
        let (source_text, source_name) = (text(source.text), text(source.name));
        let names: Vec<_> = headers.iter().map(|header| text(header.name)).collect();
        let texts: Vec<_> = headers.iter().map(|header| text(header.text)).collect();
        let pointers =
            |strings: &[CString]| strings.iter().map(|s| s.as_ptr()).collect::<Vec<*const c_char>>();
        let mut handle = ptr::null_mut();
        // SAFETY: the library copies the strings, all of which live through the call, as many as said; it writes a handle.
        let status = unsafe {
            (nvrtc.create)(
                &raw mut handle,
                source_text.as_ptr(),
                source_name.as_ptr(),
                headers.len() as c_int,
                pointers(&texts).as_ptr(),
                pointers(&names).as_ptr(),
            )
        };
        nvrtc.check("nvrtcCreateProgram", status, String::new)?;
        Ok(Self { nvrtc, handle })
    }

    /// What one of the pairs of functions gives: its size, then it.
    fn bytes(&self, function: &'static str, size: api::Size, copy: api::Copy) -> Result<Vec<u8>, NvrtcError> {
        let mut count = 0;
        // SAFETY: the handle is alive, the pointer is to an integer that lives through the call.
        let status = unsafe { size(self.handle, &raw mut count) };
        self.nvrtc.check(function, status, String::new)?;
        let mut bytes = vec![0_u8; count];
        // SAFETY: the handle is alive, and the buffer has the size that the library asked for.
        let status = unsafe { copy(self.handle, bytes.as_mut_ptr().cast()) };
        self.nvrtc.check(function, status, String::new)?;
        Ok(bytes)
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is alive and not used again. There is nobody to tell of a failure.
        _ = unsafe { (self.nvrtc.destroy)(&raw mut self.handle) };
    }
}

/// Sources and options hold no zero byte, being the project's own.
fn text(text: &str) -> CString {
    CString::new(text).expect("no zero byte in a source")
}

/// A log without the zero byte at its end.
fn printable(log: &[u8]) -> String {
    String::from_utf8_lossy(log.strip_suffix(&[0]).unwrap_or(log)).into_owned()
}

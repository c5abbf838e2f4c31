//! An NVIDIA GPU, through the CUDA driver.
#![expect(unsafe_code, reason = "the CUDA driver is a C library that works on addresses")]

mod graph;
mod pinned;

use super::arguments::Arguments;
use super::cubins;
use super::driver::{Driver, DriverError, Shape, check_range};
use cudarc::driver::result::{self, DriverError as Failure};
use cudarc::driver::{CudaContext, CudaStream, sys};
use graph::GpuGraph;
use pinned::PinnedMemory;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::sync::Arc;

/// The compute capability from which on the kernels' instructions exist (`cp.async`, `mma.m16n8k16`).
const CAPABILITY_MIN: (i32, i32) = (8, 0);

/// A device, and the kernels compiled for it.
pub(crate) struct Gpu {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    name: String,
    memory_bytes: u64,
    modules: Vec<Module>,
    /// Kernels that were asked for.
    functions: RefCell<HashMap<String, Function>>,
}

/// Why there is no GPU to work with.
#[derive(Debug, thiserror::Error)]
pub enum GpuAbsence {
    /// No libcuda.
    #[error("the CUDA driver is not installed")]
    Library,
    /// A driver without devices.
    #[error("the CUDA driver finds no device {ordinal} among {count}")]
    Device {
        /// The device that was asked for.
        ordinal: usize,
        /// Devices there are.
        count: usize,
    },
    /// A device that lacks instructions.
    #[error("{name} has compute capability {}.{}; {}.{} is needed", .found.0, .found.1, .needed.0, .needed.1)]
    Capability {
        /// The device.
        name: String,
        /// What it has.
        found: (i32, i32),
        /// What is needed.
        needed: (i32, i32),
    },
    /// Kernels that cannot be compiled.
    #[error("the kernels cannot be compiled for {name}: {reason}")]
    Kernels {
        /// The device.
        name: String,
        /// The reason.
        reason: String,
    },
    /// A driver that fails; one that is too old does not know the kernels' machine code.
    #[error("the CUDA driver cannot {action}: {reason}")]
    Driver {
        /// What it was asked for.
        action: &'static str,
        /// What it answered.
        reason: String,
    },
}

/// The driver's handle of a cubin; stays loaded as long as the process.
struct Module(sys::CUmodule);
/// The driver's handle of a kernel in one.
#[derive(Clone, Copy)]
struct Function(sys::CUfunction);

// SAFETY: handles of the driver may be used by any thread to which their context is bound, which every use sees to.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Send for Function {}

/// A piece of the device's memory.
pub(crate) struct GpuMemory {
    address: sys::CUdeviceptr,
    bytes: usize,
    context: Arc<CudaContext>,
}

impl Gpu {
    /// Opens a device, and compiles the kernels for it unless that was done before.
    pub(crate) fn open(ordinal: usize) -> Result<Self, GpuAbsence> {
        // SAFETY: loading libcuda runs its initialisers, which ask for nothing of their process. Without it every function
        // of the binding panics, so this comes first.
        if !unsafe { sys::is_culib_present() } {
            return Err(GpuAbsence::Library);
        }
        let failed = |action| move |error: Failure| GpuAbsence::Driver { action, reason: describe(error) };
        let count = CudaContext::device_count().map_err(failed("count its devices"))? as usize;
        if ordinal >= count {
            return Err(GpuAbsence::Device { ordinal, count });
        }
        let context = CudaContext::new(ordinal).map_err(failed("open the device"))?;
        // SAFETY: there is one stream, so no memory is used by two streams that events would have to order.
        unsafe { context.disable_event_tracking() };
        let name = context.name().map_err(failed("name the device"))?;
        let found = context.compute_capability().map_err(failed("say what the device can do"))?;
        if found < CAPABILITY_MIN {
            return Err(GpuAbsence::Capability { name, found, needed: CAPABILITY_MIN });
        }
        let memory_bytes = context.total_mem().map_err(failed("tell its memory"))? as u64;
        let stream = context.new_stream().map_err(failed("make a stream"))?;
        let cubins = cubins::compiler().and_then(|nvrtc| cubins::all(&nvrtc, &architecture(found)));
        let cubins =
            cubins.map_err(|error| GpuAbsence::Kernels { name: name.clone(), reason: error.to_string() })?;
        let load = |cubin: &Vec<u8>| {
            // SAFETY: the image is a whole cubin in memory; the driver copies it. The context is bound by its creation.
            unsafe { result::module::load_data(cubin.as_ptr().cast()) }.map(Module)
        };
        let modules =
            cubins.iter().map(load).collect::<Result<_, _>>().map_err(failed("load the kernels"))?;
        Ok(Self { context, stream, name, memory_bytes, modules, functions: RefCell::default() })
    }

    /// Bytes of its memory.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    fn failed(&self, operation: impl Into<String>, error: Failure) -> DriverError {
        DriverError { device: self.name.clone(), operation: operation.into(), reason: describe(error) }
    }

    /// Runs calls of the driver with the device's context bound to this thread.
    fn bound<T>(
        &self,
        operation: impl FnOnce() -> String,
        calls: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, DriverError> {
        self.context.bind_to_thread().and_then(|()| calls()).map_err(|error| self.failed(operation(), error))
    }

    /// The kernel of this name, looked up once.
    fn function(&self, kernel: &str) -> Result<Function, DriverError> {
        if let Some(&function) = self.functions.borrow().get(kernel) {
            return Ok(function);
        }
        let name = CString::new(kernel).expect("no zero byte in a kernel's name");
        let find = |module: &Module| {
            // SAFETY: the module is loaded and is never unloaded.
            unsafe { result::module::get_function(module.0, name.clone()) }.ok().map(Function)
        };
        let found =
            self.bound(|| format!("looking for {kernel}"), || Ok(self.modules.iter().find_map(find)))?;
        let function = found.ok_or_else(|| DriverError {
            device: self.name.clone(),
            operation: format!("looking for {kernel}"),
            reason: String::from("there is no such kernel"),
        })?;
        self.functions.borrow_mut().insert(kernel.to_owned(), function);
        Ok(function)
    }
}

impl Driver for Gpu {
    type Memory = GpuMemory;
    type Pinned = PinnedMemory;
    type Graph = GpuGraph;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn allocate(&self, bytes: usize) -> Result<GpuMemory, DriverError> {
        let operation = || format!("allocating {bytes} bytes");
        // The driver refuses to allocate nothing.
        // SAFETY: the context is bound.
        let address = self.bound(operation, || unsafe { result::malloc_sync(bytes.max(1)) })?;
        Ok(GpuMemory { address, bytes, context: Arc::clone(&self.context) })
    }

    fn address(memory: &GpuMemory) -> u64 {
        memory.address
    }

    fn size(memory: &GpuMemory) -> usize {
        memory.bytes
    }

    fn write(&self, memory: &GpuMemory, offset: usize, bytes: &[u8]) -> Result<(), DriverError> {
        check_range(offset, bytes.len(), memory.bytes);
        let (to, stream) = (memory.address + offset as u64, self.stream.cu_stream());
        // SAFETY: the range lies in memory that is alive, as asserted; from pageable memory the driver has taken the bytes
        // before it returns; the stream orders the copy with the launches around it.
        self.bound(
            || format!("writing {} bytes", bytes.len()),
            || unsafe { result::memcpy_htod_async(to, bytes, stream) },
        )
    }

    fn read(&self, memory: &GpuMemory, offset: usize, bytes: &mut [u8]) -> Result<(), DriverError> {
        let count = bytes.len();
        check_range(offset, count, memory.bytes);
        let (from, stream) = (memory.address + offset as u64, self.stream.cu_stream());
        // SAFETY: the range lies in memory that is alive, as asserted; the stream is waited for while the bytes are borrowed.
        self.bound(
            || format!("reading {count} bytes"),
            || unsafe {
                result::memcpy_dtoh_async(bytes, from, stream)?;
                result::stream::synchronize(stream)
            },
        )
    }

    fn clear(&self, memory: &GpuMemory) -> Result<(), DriverError> {
        // SAFETY: the memory is alive, and as large as said.
        self.bound(
            || format!("clearing {} bytes", memory.bytes),
            || unsafe { result::memset_d8_async(memory.address, 0, memory.bytes, self.stream.cu_stream()) },
        )
    }

    fn copy(&self, memory: &GpuMemory, from: usize, to: usize, bytes: usize) -> Result<(), DriverError> {
        check_range(from.max(to), bytes, memory.bytes);
        let address = |offset: usize| memory.address + offset as u64;
        // SAFETY: both ranges lie in memory that is alive, as asserted; the stream orders the copy.
        self.bound(
            || format!("copying {bytes} bytes"),
            || unsafe {
                result::memcpy_dtod_async(address(to), address(from), bytes, self.stream.cu_stream())
            },
        )
    }

    fn launch(&self, kernel: &str, shape: Shape, arguments: &Arguments) -> Result<(), DriverError> {
        let function = self.function(kernel)?;
        let [x, y, z] = shape.grid.map(|blocks| blocks as u32);
        // The driver copies the arguments during the call, and does not write through the pointers.
        let mut pointers: Vec<_> =
            arguments.each().map(|argument| argument.as_ptr().cast_mut().cast::<c_void>()).collect();
        let operation = || format!("launching {kernel} on {:?} blocks of {}", shape.grid, shape.threads);
        // SAFETY: the function is one of a loaded module; there is a pointer for each parameter, since the kernels' tests
        // compare the arguments' layout with theirs; that the addresses among them lie in memory that is alive and large
        // enough is the caller's part, as the trait says, and memory is freed only after the stream's work.
        self.bound(operation, || unsafe {
            result::launch_kernel(
                function.0,
                (x, y, z),
                (shape.threads as u32, 1, 1),
                shape.shared_bytes as u32,
                self.stream.cu_stream(),
                &mut pointers,
            )
        })
    }

    fn pin(&self, bytes: usize) -> Result<PinnedMemory, DriverError> {
        self.bound(|| format!("pinning {bytes} bytes"), || PinnedMemory::new(&self.context, bytes))
    }

    fn send(&self, words: &[u32], through: &mut PinnedMemory, to: &GpuMemory) -> Result<(), DriverError> {
        check_range(0, size_of_val(words), to.bytes);
        self.bound(|| format!("sending {} words", words.len()), || through.send(words, to, &self.stream))
    }

    fn fetch(&self, from: &GpuMemory, bytes: usize, to: &mut PinnedMemory) -> Result<(), DriverError> {
        check_range(0, bytes, from.bytes);
        self.bound(|| format!("fetching {bytes} bytes"), || to.fetch(from, bytes, &self.stream))
    }

    fn fetched<'a>(&self, pinned: &'a PinnedMemory) -> Result<&'a [u8], DriverError> {
        self.bound(|| String::from("waiting for what was fetched"), || pinned.fetched())
    }

    fn begin_recording(&self) -> Result<(), DriverError> {
        // Other threads may allocate and copy meanwhile: this thread's calls alone are held to the rules.
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        let begin = || {
            // SAFETY: the stream is alive and records nothing yet.
            unsafe { result::stream::begin_capture(self.stream.cu_stream(), mode) }
        };
        self.bound(|| String::from("beginning to record"), begin)
    }

    fn end_recording(&self) -> Result<GpuGraph, DriverError> {
        self.bound(|| String::from("recording launches"), || GpuGraph::end(&self.context, &self.stream))
    }

    fn replay(&self, graph: &GpuGraph) -> Result<(), DriverError> {
        self.bound(|| String::from("replaying launches"), || graph.launch(&self.stream))
    }
}

impl Drop for GpuMemory {
    fn drop(&mut self) {
        // Freeing waits for the work that may use it. There is nobody to tell of a failure: the context is lost then.
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: the memory was allocated in this context and is not used again.
            _ = unsafe { result::free_sync(self.address) };
        }
    }
}

/// What the kernels are compiled for on a device of this compute capability.
fn architecture((major, minor): (i32, i32)) -> String {
    // Hopper's own instructions have an architecture of their own.
    let suffix = if (major, minor) == (9, 0) { "a" } else { "" };
    format!("sm_{major}{minor}{suffix}")
}

/// The driver's name and words for what failed.
fn describe(error: Failure) -> String {
    let text = |text: Result<&std::ffi::CStr, Failure>| text.map(|t| t.to_string_lossy().into_owned());
    match (text(error.error_name()), text(error.error_string())) {
        (Ok(name), Ok(words)) => format!("{name}: {words}"),
        _ => format!("{:?}", error.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_gpu_says_so_in_one_line() {
        // On a machine with one it opens, or says what is missing.
        if let Err(absence) = Gpu::open(64) {
            let text = absence.to_string();
            assert!(!text.is_empty() && !text.contains('\n'), "{text}");
            assert!(matches!(
                absence,
                GpuAbsence::Library | GpuAbsence::Device { .. } | GpuAbsence::Driver { .. }
            ));
        }
    }

    #[test]
    fn only_hopper_has_instructions_of_its_own() {
        assert_eq!(
            [(8, 0), (8, 9), (9, 0), (10, 0)].map(architecture),
            ["sm_80", "sm_89", "sm_90a", "sm_100"]
        );
    }
}

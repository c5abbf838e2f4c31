//! An NVIDIA GPU, through the CUDA driver.
#![expect(unsafe_code, reason = "the CUDA driver is a C library that works on addresses")]

mod absence;
mod graph;
mod launch;
mod library;
mod pinned;

use super::arguments::Arguments;
use super::cubins;
use super::driver::{Driver, DriverError, FailureKind, Shape, check_range};
use crate::backend::DeviceMemory;
use cudarc::driver::result::{self, DriverError as Failure};
use cudarc::driver::{CudaContext, CudaStream, sys};
use graph::GpuGraph;
use pinned::PinnedMemory;
use std::collections::HashMap;
use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub use absence::GpuAbsence;

/// The compute capability from which on the kernels' instructions exist (`cp.async`, `mma.m16n8k16`).
const CAPABILITY_MIN: (i32, i32) = (8, 0);

/// The compute capability from which on a launch may begin before those before it are done.
const EARLY_CAPABILITY_MIN: (i32, i32) = (9, 0);

/// A device, and the kernels compiled for it.
#[derive(Clone)]
pub(crate) struct Gpu {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    name: String,
    capability: (i32, i32),
    memory: DeviceMemory,
    multiprocessors: usize,
    kernels: Arc<Mutex<Kernels>>,
}

/// The kernels in the device's memory.
struct Kernels {
    modules: Vec<Module>,
    /// Those that were asked for.
    functions: HashMap<String, Function>,
}

/// The driver's handle of a cubin; stays loaded as long as the context.
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
        let began = Instant::now();
        let count = Self::count()?;
        if ordinal >= count {
            return Err(GpuAbsence::Device { ordinal, count });
        }
        let context = CudaContext::new(ordinal).map_err(failed("open the device"))?;
        // SAFETY: there is one stream, so no memory is used by two streams that events would have to order.
        unsafe { context.disable_event_tracking() };
        let name = context.name().map_err(failed("name the device"))?;
        // Devices of one machine mostly have the same name.
        let name = format!("{name} as cuda:{ordinal}");
        let capability = context.compute_capability().map_err(failed("say what the device can do"))?;
        if capability < CAPABILITY_MIN {
            return Err(GpuAbsence::Capability { name, found: capability, needed: CAPABILITY_MIN });
        }
        let count = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
        let multiprocessors = context.attribute(count).map_err(failed("count its multiprocessors"))? as usize;
        let stream = context.new_stream().map_err(failed("make a stream"))?;
        let kernels = cubins::for_capability(capability).map_err(|error| GpuAbsence::Kernels {
            name: name.clone(),
            capability,
            reason: error.to_string(),
        })?;
        let load = |cubin: &Vec<u8>| {
            // SAFETY: the image is a whole cubin in memory; the driver copies it. The context is bound by its creation.
            unsafe { result::module::load_data(cubin.as_ptr().cast()) }.map(Module)
        };
        let refused = |error| refused(error, kernels.compiler);
        let modules = kernels.images.iter().map(load).collect::<Result<_, _>>().map_err(refused)?;
        let took_ms = began.elapsed().as_millis() as u64;
        tracing::info!(device = name, took_ms, "the device is open and has its kernels");
        let kernels = Arc::new(Mutex::new(Kernels { modules, functions: HashMap::new() }));
        let (free, total) = result::mem_get_info().map_err(failed("tell its memory"))?;
        let memory = DeviceMemory { total: total as u64, free: free as u64 };
        Ok(Self { context, stream, name, capability, memory, multiprocessors, kernels })
    }

    /// Devices that the driver knows.
    pub(crate) fn count() -> Result<usize, GpuAbsence> {
        library::probe()?;
        CudaContext::device_count().map(|count| count as usize).map_err(failed("count its devices"))
    }

    /// Clears away what a failure has left of a device, for it to be opened afresh. Nothing of it may be in use.
    pub(crate) fn reset(ordinal: usize) -> Result<(), GpuAbsence> {
        library::probe()?;
        let reset = |device| {
            // SAFETY: the device is one of the driver's; nothing of its context is in use, as the caller sees to.
            unsafe { sys::cuDevicePrimaryCtxReset_v2(device) }.result()
        };
        result::init()
            .and_then(|()| result::device::get(ordinal as i32))
            .and_then(reset)
            .map_err(failed("reset the device"))
    }

    /// Which of the driver's devices it is.
    pub(crate) fn ordinal(&self) -> usize {
        self.context.ordinal()
    }

    /// Its compute capability, on which the bits of its sums depend: tensor cores of different kinds round differently.
    pub(crate) fn capability(&self) -> (i32, i32) {
        self.capability
    }

    /// Its memory before anything was allocated.
    pub(crate) fn memory(&self) -> DeviceMemory {
        self.memory
    }

    fn failed(&self, operation: impl Into<String>, error: Failure) -> DriverError {
        let kind = match error.0 {
            sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => FailureKind::Memory,
            _ => FailureKind::Device,
        };
        DriverError { device: self.name.clone(), operation: operation.into(), reason: describe(error), kind }
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
        let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&function) = kernels.functions.get(kernel) {
            return Ok(function);
        }
        let name = CString::new(kernel).expect("no zero byte in a kernel's name");
        let find = |module: &Module| {
            // SAFETY: the module is loaded, and stays so as long as the context.
            unsafe { result::module::get_function(module.0, name.clone()) }.ok().map(Function)
        };
        let found =
            self.bound(|| format!("looking for {kernel}"), || Ok(kernels.modules.iter().find_map(find)))?;
        let function = found.ok_or_else(|| DriverError {
            device: self.name.clone(),
            operation: format!("looking for {kernel}"),
            reason: String::from("there is no such kernel"),
            kind: FailureKind::Device,
        })?;
        kernels.functions.insert(kernel.to_owned(), function);
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

    fn arithmetic(&self) -> String {
        let (major, minor) = self.capability;
        format!("cuda {major}.{minor}")
    }

    fn multiprocessors(&self) -> usize {
        self.multiprocessors
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
        let begins_early = self.capability >= EARLY_CAPABILITY_MIN;
        let operation = || format!("launching {kernel} on {:?} blocks of {}", shape.grid, shape.threads);
        self.bound(operation, || launch::launch(function, shape, arguments, &self.stream, begins_early))
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

/// What the driver cannot do.
fn failed(action: &'static str) -> impl Fn(Failure) -> GpuAbsence {
    move |error| GpuAbsence::Driver { action, reason: describe(error) }
}

/// Why the driver does not load kernels that this compiler has made.
fn refused(error: Failure, compiler: (i32, i32)) -> GpuAbsence {
    use sys::CUresult as Code;
    let unknown = [
        Code::CUDA_ERROR_INVALID_IMAGE,
        Code::CUDA_ERROR_NO_BINARY_FOR_GPU,
        Code::CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
    ];
    match driver_version() {
        Ok(driver) if unknown.contains(&error.0) && driver < compiler => {
            GpuAbsence::Outdated { driver, compiler, reason: describe(error) }
        }
        _ => failed("load the kernels")(error),
    }
}

/// The version of CUDA that the driver is for.
fn driver_version() -> Result<(i32, i32), Failure> {
    let mut version = 0;
    // SAFETY: the pointer is to an integer that lives through the call.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
    Ok((version / 1000, version % 1000 / 10))
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
                GpuAbsence::Library
                    | GpuAbsence::Function { .. }
                    | GpuAbsence::Device { .. }
                    | GpuAbsence::Driver { .. }
            ));
        }
    }
}

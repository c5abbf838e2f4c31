//! The driver's library, looked at before anything is asked of it: the binding panics where the library or a function is
//! missing.
#![expect(unsafe_code, reason = "looking at a C library loads it")]

use super::GpuAbsence;
use cudarc::driver::sys;
use std::ffi::CStr;

/// Every function of libcuda that the backend calls, by itself or through the binding.
const FUNCTIONS: [&CStr; 39] = [
    c"cuCtxGetCurrent",
    c"cuCtxSetCurrent",
    c"cuDeviceGet",
    c"cuDeviceGetAttribute",
    c"cuDeviceGetCount",
    c"cuDeviceGetName",
    c"cuDevicePrimaryCtxRelease_v2",
    c"cuDevicePrimaryCtxReset_v2",
    c"cuDevicePrimaryCtxRetain",
    c"cuDriverGetVersion",
    c"cuEventCreate",
    c"cuEventDestroy_v2",
    c"cuEventRecord",
    c"cuEventSynchronize",
    c"cuGetErrorName",
    c"cuGetErrorString",
    c"cuGraphDestroy",
    c"cuGraphExecDestroy",
    c"cuGraphInstantiateWithFlags",
    c"cuGraphLaunch",
    c"cuGraphUpload",
    c"cuInit",
    c"cuLaunchKernelEx",
    c"cuMemAlloc_v2",
    c"cuMemFreeHost",
    c"cuMemFree_v2",
    c"cuMemGetInfo_v2",
    c"cuMemHostAlloc",
    c"cuMemcpyDtoDAsync_v2",
    c"cuMemcpyDtoHAsync_v2",
    c"cuMemcpyHtoDAsync_v2",
    c"cuMemsetD8Async",
    c"cuModuleGetFunction",
    c"cuModuleLoadData",
    c"cuStreamBeginCapture_v2",
    c"cuStreamCreate",
    c"cuStreamDestroy_v2",
    c"cuStreamEndCapture",
    c"cuStreamSynchronize",
];

/// Whether there is a driver that has all that it will be asked for.
pub(super) fn probe() -> Result<(), GpuAbsence> {
    // SAFETY: loading libcuda runs its initialisers, which ask for nothing of their process.
    if !unsafe { sys::is_culib_present() } {
        return Err(GpuAbsence::Library);
    }
    // SAFETY: as above; the library is present, so this does not panic. It stays loaded.
    let library = unsafe { sys::culib() };
    let missing = FUNCTIONS.into_iter().find(|function| {
        // SAFETY: the symbol is only looked for, never used, so its type does not matter.
        unsafe { library.get::<*const ()>(function.to_bytes_with_nul()) }.is_err()
    });
    match missing {
        None => Ok(()),
        Some(function) => Err(GpuAbsence::Function { function: function.to_str().unwrap_or_default() }),
    }
}

//! One launch of a kernel.
#![expect(unsafe_code, reason = "the CUDA driver is a C library that works on addresses")]

use super::{Failure, Function};
use crate::backend::cuda::arguments::Arguments;
use crate::backend::cuda::driver::Shape;
use cudarc::driver::{CudaStream, sys};
use std::ffi::c_void;
use std::ptr;

/// Puts a launch behind the stream's work; one that begins early does so before the launches before it are done, and waits
/// for them itself. The context is bound.
pub(super) fn launch(
    function: Function,
    shape: Shape,
    arguments: &Arguments,
    stream: &CudaStream,
    begins_early: bool,
) -> Result<(), Failure> {
    // The driver copies the arguments during the call, and does not write through the pointers.
    let mut pointers: Vec<_> =
        arguments.each().map(|argument| argument.as_ptr().cast_mut().cast::<c_void>()).collect();
    let mut early = sys::CUlaunchAttribute {
        id: sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
        pad: [0; 4],
        value: sys::CUlaunchAttributeValue { programmaticStreamSerializationAllowed: 1 },
    };
    let [x, y, z] = shape.grid.map(|blocks| blocks as u32);
    let config = sys::CUlaunchConfig {
        gridDimX: x,
        gridDimY: y,
        gridDimZ: z,
        blockDimX: shape.threads as u32,
        blockDimY: 1,
        blockDimZ: 1,
        sharedMemBytes: shape.shared_bytes as u32,
        hStream: stream.cu_stream(),
        attrs: &raw mut early,
        numAttrs: u32::from(begins_early),
    };
    let (config, pointers) = (&raw const config, pointers.as_mut_ptr());
    // SAFETY: the function is one of a loaded module; there is a pointer for each parameter, since the kernels' tests compare
    // the arguments' layout with theirs; configuration, attribute and arguments live through the call; that the addresses
    // among the arguments lie in memory that is alive and large enough is the part of the trait's caller, and memory is freed
    // only after the stream's work.
    unsafe { sys::cuLaunchKernelEx(config, function.0, pointers, ptr::null_mut()) }.result()
}

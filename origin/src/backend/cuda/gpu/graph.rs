//! Launches that the driver has recorded.

use cudarc::driver::result::{self, DriverError as Failure};
use cudarc::driver::{CudaContext, CudaStream, sys};
use std::sync::Arc;

/// A graph that can be launched; it holds the arguments of its kernels.
pub(crate) struct GpuGraph {
    handle: sys::CUgraphExec,
    context: Arc<CudaContext>,
}

// SAFETY: the handle may be used by any thread to which its context is bound, by one at a time: there is no use of it through
// a shared reference but by the device's owner, whose stream is one thread's as well.
unsafe impl Send for GpuGraph {}

impl GpuGraph {
    /// Ends the stream's recording.
    pub(super) fn end(context: &Arc<CudaContext>, stream: &CudaStream) -> Result<Self, Failure> {
        // SAFETY: the stream is alive; where it does not record, or the recording was spoiled, the driver says so.
        let recorded = unsafe { result::stream::end_capture(stream.cu_stream()) }?;
        let flags = sys::CUgraphInstantiate_flags(0);
        // SAFETY: the graph was just made; what is made of it does not need it any more, so it is destroyed, once.
        let handle = unsafe {
            let handle = result::graph::instantiate(recorded, flags);
            result::graph::destroy(recorded)?;
            handle?
        };
        let graph = Self { handle, context: Arc::clone(context) };
        // SAFETY: handle and stream are alive. This is the part of the first launch that later ones do without.
        unsafe { result::graph::upload(graph.handle, stream.cu_stream()) }?;
        Ok(graph)
    }

    /// Runs it after what the stream has before it.
    pub(super) fn launch(&self, stream: &CudaStream) -> Result<(), Failure> {
        // SAFETY: handle and stream are alive; that the addresses in the graph are is the caller's part, as the driver's
        // trait says.
        unsafe { result::graph::launch(self.handle, stream.cu_stream()) }
    }
}

impl Drop for GpuGraph {
    fn drop(&mut self) {
        // The driver keeps what a running launch needs. There is nobody to tell of a failure: the context is lost then.
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: the handle is not used again.
            _ = unsafe { result::graph::exec_destroy(self.handle) };
        }
    }
}

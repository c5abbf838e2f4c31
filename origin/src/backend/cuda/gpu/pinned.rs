//! Memory of the host that a GPU copies from and to while the host goes on.

use super::GpuMemory;
use cudarc::driver::result::{self, DriverError as Failure};
use cudarc::driver::{CudaContext, CudaStream, sys};
use std::slice;
use std::sync::Arc;

/// Pages that stay where they are, and the end of the last copy between them and the device.
pub(crate) struct PinnedMemory {
    first: *mut u8,
    bytes: usize,
    /// Bytes that the last copy brought, all of them written.
    fetched: usize,
    copied: sys::CUevent,
    context: Arc<CudaContext>,
}

// SAFETY: the memory belongs to this value alone, and the event's handle may be used by any thread to which its context is
// bound, which every use sees to.
unsafe impl Send for PinnedMemory {}

impl PinnedMemory {
    /// Uninitialised memory. It is not write-combined, since the host reads what was fetched.
    pub(super) fn new(context: &Arc<CudaContext>, bytes: usize) -> Result<Self, Failure> {
        let copied = result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING)?;
        // The driver refuses to allocate nothing.
        // SAFETY: the context is bound. The memory is read only as far as it was written.
        let first = match unsafe { result::malloc_host(bytes.max(1), 0) } {
            Ok(first) => first.cast(),
            Err(error) => {
                // SAFETY: the event is not used again.
                _ = unsafe { result::event::destroy(copied) };
                return Err(error);
            }
        };
        Ok(Self { first, bytes, fetched: 0, copied, context: Arc::clone(context) })
    }

    /// Copies words here and begins to copy them to the device, which is as large as they are at least.
    pub(super) fn send(&mut self, words: &[u32], to: &GpuMemory, stream: &CudaStream) -> Result<(), Failure> {
        let bytes = size_of_val(words);
        assert!(bytes <= self.bytes, "{bytes} bytes by way of {}", self.bytes);
        self.fetched = 0;
        // SAFETY: the event is alive; before its first record it counts as over. After it no copy reads the memory, which
        // has room for the words, as asserted, and does not overlap them, being this value's own; it stays until its drop,
        // which waits for the event recorded here.
        unsafe {
            result::event::synchronize(self.copied)?;
            self.first.copy_from_nonoverlapping(words.as_ptr().cast(), bytes);
            let from = slice::from_raw_parts(self.first, bytes);
            result::memcpy_htod_async(to.address, from, stream.cu_stream())?;
            result::event::record(self.copied, stream.cu_stream())
        }
    }

    /// Begins to copy the first bytes of the device's memory, which has as many, here.
    pub(super) fn fetch(
        &mut self,
        from: &GpuMemory,
        bytes: usize,
        stream: &CudaStream,
    ) -> Result<(), Failure> {
        assert!(bytes <= self.bytes, "{bytes} bytes into {}", self.bytes);
        self.fetched = 0;
        // SAFETY: the memory has room for the bytes, as asserted, and stays until its drop, which waits for the event
        // recorded here; nobody reads it before that event, since `fetched` waits for it. It was never lent out as a slice
        // that is still alive, since this borrows all of it.
        unsafe {
            let to = self.first.cast();
            sys::cuMemcpyDtoHAsync_v2(to, from.address, bytes, stream.cu_stream()).result()?;
            result::event::record(self.copied, stream.cu_stream())?;
        }
        self.fetched = bytes;
        Ok(())
    }

    /// What was fetched last, once it is here.
    pub(super) fn fetched(&self) -> Result<&[u8], Failure> {
        // SAFETY: the event is alive. After it the first `fetched` bytes are written, and nothing writes them while they are
        // borrowed.
        unsafe {
            result::event::synchronize(self.copied)?;
            Ok(slice::from_raw_parts(self.first, self.fetched))
        }
    }
}

impl Drop for PinnedMemory {
    fn drop(&mut self) {
        // There is nobody to tell of a failure: the context is lost then, and with it every copy.
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: a copy that is under way is waited for; memory and event are not used again.
            unsafe {
                _ = result::event::synchronize(self.copied);
                _ = result::event::destroy(self.copied);
                _ = result::free_host(self.first.cast());
            }
        }
    }
}

//! What the backend asks of a device: memory, copies and launches.

use super::arguments::Arguments;
use crate::backend::BackendError;

/// A device and one stream of work on it: what is asked for is done in that order.
///
/// The real one speaks to the CUDA driver; another runs the same kernels in a simulator, for tests. Clones are the same
/// device and stream.
pub(crate) trait Driver: Clone + Send {
    /// A piece of the device's memory, freed when it is dropped.
    type Memory: Send;
    /// Memory of the host that the device copies from and to by itself, while the host goes on.
    type Pinned: Send;
    /// Launches that were recorded.
    type Graph: Send;

    /// What it is, for logs.
    fn name(&self) -> String;
    /// The way it computes: devices of the same arithmetic give the same bits.
    fn arithmetic(&self) -> String;
    /// Its multiprocessors, which run blocks side by side.
    fn multiprocessors(&self) -> usize;
    /// Uninitialised memory, aligned for every type.
    fn allocate(&self, bytes: usize) -> Result<Self::Memory, DriverError>;
    /// The address of its first byte.
    fn address(memory: &Self::Memory) -> u64;
    /// Its size in bytes.
    fn size(memory: &Self::Memory) -> usize;
    /// Copies to the device, to `offset` bytes after the memory's first.
    fn write(&self, memory: &Self::Memory, offset: usize, bytes: &[u8]) -> Result<(), DriverError>;
    /// Copies from the device, from `offset` bytes after the memory's first.
    fn read(&self, memory: &Self::Memory, offset: usize, bytes: &mut [u8]) -> Result<(), DriverError>;
    /// Sets every byte to 0.
    fn clear(&self, memory: &Self::Memory) -> Result<(), DriverError>;
    /// Copies within a piece of memory, between ranges that do not overlap.
    fn copy(&self, memory: &Self::Memory, from: usize, to: usize, bytes: usize) -> Result<(), DriverError>;
    /// Runs a kernel. It may begin before the launches before it are done, and waits for them itself; work of another kind
    /// waits for launches, and they for it. Its arguments' addresses must lie in memory that is alive, with room for what the kernel does.
    fn launch(&self, kernel: &str, shape: Shape, arguments: &Arguments) -> Result<(), DriverError>;

    /// Uninitialised memory of the host.
    fn pin(&self, bytes: usize) -> Result<Self::Pinned, DriverError>;
    /// Begins to copy words to the device by way of pinned memory, whose copy before this one it waits for.
    fn send(&self, words: &[u32], through: &mut Self::Pinned, to: &Self::Memory) -> Result<(), DriverError>;
    /// Begins to copy the first bytes of the device's memory to the host.
    fn fetch(&self, from: &Self::Memory, bytes: usize, to: &mut Self::Pinned) -> Result<(), DriverError>;
    /// Waits until the copy into pinned memory is over; what it holds.
    fn fetched<'a>(&self, pinned: &'a Self::Pinned) -> Result<&'a [u8], DriverError>;

    /// Begins to record: from now on launches are noted and not run, and nothing else may be asked for.
    fn begin_recording(&self) -> Result<(), DriverError>;
    /// Ends it, with whatever was launched.
    fn end_recording(&self) -> Result<Self::Graph, DriverError>;
    /// Runs recorded launches with the arguments of then: what they point to must be where it was.
    fn replay(&self, graph: &Self::Graph) -> Result<(), DriverError>;
}

/// Panics where a range does not lie in a piece of memory: no caller may ask for one.
pub(super) fn check_range(offset: usize, bytes: usize, size: usize) {
    assert!(offset.checked_add(bytes).is_some_and(|end| end <= size), "{bytes} bytes at {offset} of {size}");
}

/// How many threads run a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Blocks in each direction.
    pub(crate) grid: [usize; 3],
    /// Threads of a block.
    pub(crate) threads: usize,
    /// Dynamic shared memory of a block.
    pub(crate) shared_bytes: usize,
}

impl Shape {
    /// Without dynamic shared memory.
    pub(crate) fn new(grid: [usize; 3], threads: usize) -> Self {
        Self { grid, threads, shared_bytes: 0 }
    }
}

/// What a device refused or failed at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{device}: {operation}: {reason}")]
pub(crate) struct DriverError {
    /// The device, as the driver names it.
    pub(crate) device: String,
    /// What was asked for, with its sizes.
    pub(crate) operation: String,
    /// What it answered.
    pub(crate) reason: String,
    pub(crate) kind: FailureKind,
}

/// What a failure leaves of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// It had no memory for what it was asked for, and is as before.
    Memory,
    /// All that is on it may be lost.
    Device,
}

impl DriverError {
    /// The same, saying what was asked for.
    pub(crate) fn meant_for(mut self, what: &str) -> Self {
        self.operation = format!("{} for {what}", self.operation);
        self
    }
}

impl From<DriverError> for BackendError {
    fn from(error: DriverError) -> Self {
        let reason = error.to_string();
        match error.kind {
            FailureKind::Memory => Self::DeviceMemory { reason },
            FailureKind::Device => Self::Device { reason },
        }
    }
}

#[test]
fn a_lack_of_memory_is_told_from_a_device_that_is_lost() {
    let error = |kind| DriverError {
        device: String::from("a GPU"),
        operation: String::from("allocating 4 bytes"),
        reason: String::from("no"),
        kind,
    };
    let reason = String::from("a GPU: allocating 4 bytes: no");
    let told = [FailureKind::Memory, FailureKind::Device].map(|kind| BackendError::from(error(kind)));
    assert_eq!(
        told,
        [BackendError::DeviceMemory { reason: reason.clone() }, BackendError::Device { reason }]
    );
}

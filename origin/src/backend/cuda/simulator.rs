//! A device that is a process: the kernels as host C++ over a simulator of the GPU's threads, for tests.
//!
//! Three builds of it check different things: the plain one is quick, one has the sanitizers for addresses and undefined
//! behaviour, one the sanitizer for data races, which finds missing barriers.

mod compile;
mod device;
mod link;

use super::arguments::Arguments;
use super::driver::{Driver, DriverError, FailureKind, Shape, check_range};
use compile::Mutation;
use device::{Device, Launch};
use link::Link;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use compile::{Checks, Mutation as KernelMutation};

/// Orders of threads, times combinations of when asynchronous copies land.
pub(crate) const SCHEDULES: u64 = 12;

/// Few, so that small matrices too are more than the device takes at once.
const MULTIPROCESSORS: usize = 1;

/// A simulated device. Clones are the same device.
#[derive(Clone)]
pub(crate) struct Simulator {
    device: Arc<Mutex<Device>>,
    checks: Checks,
}

/// Its memory.
pub(crate) struct Memory {
    device: Arc<Mutex<Device>>,
    address: u64,
    bytes: usize,
}

/// Memory of the host.
pub(crate) struct PinnedMemory {
    bytes: Vec<u8>,
    fetched: usize,
}

/// Launches with their arguments.
pub(crate) struct Graph {
    launches: Vec<Launch>,
    device: Arc<Mutex<Device>>,
}

impl Simulator {
    /// A device whose kernels run under these checks. Its launches run in varying orders, from the first to the last and
    /// over again.
    pub(crate) fn new(checks: Checks) -> Self {
        Self::start(checks, None)
    }

    /// The same with a fault in a kernel.
    pub(crate) fn mutated(checks: Checks, mutation: &Mutation) -> Self {
        Self::start(checks, Some(mutation))
    }

    fn start(checks: Checks, mutation: Option<&Mutation>) -> Self {
        let link = Link::start(&compile::runner(checks, mutation), checks);
        Self { device: Arc::new(Mutex::new(Device::new(link))), checks }
    }

    /// The schedule of the next launch; those after it follow.
    pub(crate) fn schedule(&self, schedule: u64) {
        lock(&self.device).schedule = schedule;
    }

    /// Allocations so far, and bytes that are alive.
    pub(crate) fn used(&self) -> (usize, usize) {
        lock(&self.device).used()
    }

    fn failed(&self, operation: String) -> impl FnOnce(String) -> DriverError {
        move |reason| DriverError { device: self.name(), operation, reason, kind: FailureKind::Device }
    }
}

impl Driver for Simulator {
    type Memory = Memory;
    type Pinned = PinnedMemory;
    type Graph = Graph;

    fn name(&self) -> String {
        format!("simulator ({:?})", self.checks)
    }

    fn arithmetic(&self) -> String {
        String::from("cuda simulated")
    }

    fn multiprocessors(&self) -> usize {
        MULTIPROCESSORS
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, DriverError> {
        let address = lock(&self.device).allocate(bytes);
        let address = address.map_err(self.failed(format!("allocating {bytes} bytes")))?;
        Ok(Memory { device: Arc::clone(&self.device), address, bytes })
    }

    fn address(memory: &Memory) -> u64 {
        memory.address
    }

    fn size(memory: &Memory) -> usize {
        memory.bytes
    }

    fn write(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<(), DriverError> {
        check_range(offset, bytes.len(), memory.bytes);
        let to = memory.address + offset as u64;
        let written = lock(&self.device).link().and_then(|link| link.write(to, bytes));
        written.map_err(self.failed(format!("writing {} bytes", bytes.len())))
    }

    fn read(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), DriverError> {
        let count = bytes.len();
        check_range(offset, count, memory.bytes);
        let from = memory.address + offset as u64;
        let read = lock(&self.device).link().and_then(|link| link.read(from, bytes));
        read.map_err(self.failed(format!("reading {count} bytes")))
    }

    fn clear(&self, memory: &Memory) -> Result<(), DriverError> {
        let count = memory.bytes as u64;
        let cleared = lock(&self.device).link().and_then(|link| link.clear(memory.address, count));
        cleared.map_err(self.failed(format!("clearing {count} bytes")))
    }

    fn copy(&self, memory: &Memory, from: usize, to: usize, bytes: usize) -> Result<(), DriverError> {
        check_range(from.max(to), bytes, memory.bytes);
        let [to, from] = [to, from].map(|offset| memory.address + offset as u64);
        let copied = lock(&self.device).link().and_then(|link| link.copy(to, from, bytes as u64));
        copied.map_err(self.failed(format!("copying {bytes} bytes")))
    }

    fn launch(&self, kernel: &str, shape: Shape, arguments: &Arguments) -> Result<(), DriverError> {
        let mut device = lock(&self.device);
        let mut operation = format!("launching {kernel} on {:?} blocks of {}", shape.grid, shape.threads);
        write!(operation, " in schedule {}", device.schedule).expect("text can grow");
        let launch = Launch { kernel: kernel.to_owned(), shape, arguments: arguments.clone() };
        device.launch(launch).map_err(self.failed(operation))
    }

    fn pin(&self, bytes: usize) -> Result<PinnedMemory, DriverError> {
        lock(&self.device).link().map_err(self.failed(format!("pinning {bytes} bytes")))?;
        Ok(PinnedMemory { bytes: vec![0; bytes], fetched: 0 })
    }

    fn send(&self, words: &[u32], through: &mut PinnedMemory, to: &Memory) -> Result<(), DriverError> {
        let bytes = size_of_val(words);
        check_range(0, bytes, through.bytes.len());
        through.fetched = 0;
        for (to, word) in through.bytes.chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        self.write(to, 0, &through.bytes[..bytes])
    }

    fn fetch(&self, from: &Memory, bytes: usize, to: &mut PinnedMemory) -> Result<(), DriverError> {
        to.fetched = bytes;
        self.read(from, 0, &mut to.bytes[..bytes])
    }

    fn fetched<'a>(&self, pinned: &'a PinnedMemory) -> Result<&'a [u8], DriverError> {
        lock(&self.device).link().map_err(self.failed(String::from("waiting for what was fetched")))?;
        Ok(&pinned.bytes[..pinned.fetched])
    }

    fn begin_recording(&self) -> Result<(), DriverError> {
        lock(&self.device).begin_recording().map_err(self.failed(String::from("beginning to record")))
    }

    fn end_recording(&self) -> Result<Graph, DriverError> {
        let launches = lock(&self.device).end_recording();
        let launches = launches.map_err(self.failed(String::from("recording launches")))?;
        Ok(Graph { launches, device: Arc::clone(&self.device) })
    }

    fn replay(&self, graph: &Graph) -> Result<(), DriverError> {
        let replayed = lock(&self.device).replay(&graph.launches);
        replayed.map_err(self.failed(String::from("replaying launches")))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        lock(&self.device).free(self.address);
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        lock(&self.device).forget_graph();
    }
}

/// A test that failed while it held the lock has failed; its memory is still freed.
fn lock(device: &Mutex<Device>) -> MutexGuard<'_, Device> {
    device.lock().unwrap_or_else(PoisonError::into_inner)
}

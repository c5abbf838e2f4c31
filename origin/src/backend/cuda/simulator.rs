//! A device that is a process: the kernels as host C++ over a simulator of the GPU's threads, for tests.
//!
//! Three builds of it check different things: the plain one is quick, one has the sanitizers for addresses and undefined
//! behaviour, one the sanitizer for data races, which finds missing barriers.

mod compile;
mod link;

use super::arguments::Arguments;
use super::driver::{Driver, DriverError, Shape, check_range};
use compile::Mutation;
use link::Link;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub(crate) use compile::{Checks, Mutation as KernelMutation};

/// Orders of threads, times combinations of when asynchronous copies land.
pub(crate) const SCHEDULES: u64 = 12;

/// A simulated device. Clones are the same device.
#[derive(Clone)]
pub(crate) struct Simulator {
    link: Arc<Mutex<Link>>,
    checks: Checks,
    schedule: Arc<AtomicU64>,
}

/// Its memory.
pub(crate) struct Memory {
    link: Arc<Mutex<Link>>,
    address: u64,
    bytes: usize,
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
        Self { link: Arc::new(Mutex::new(link)), checks, schedule: Arc::default() }
    }

    /// The schedule of the next launch; those after it follow.
    pub(crate) fn schedule(&self, schedule: u64) {
        self.schedule.store(schedule, Ordering::Relaxed);
    }

    fn failed(&self, operation: String) -> impl FnOnce(String) -> DriverError {
        move |reason| DriverError { device: self.name(), operation, reason }
    }
}

impl Driver for Simulator {
    type Memory = Memory;

    fn name(&self) -> String {
        format!("simulator ({:?})", self.checks)
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, DriverError> {
        let address = lock(&self.link).allocate(bytes);
        let address = address.map_err(self.failed(format!("allocating {bytes} bytes")))?;
        Ok(Memory { link: Arc::clone(&self.link), address, bytes })
    }

    fn address(memory: &Memory) -> u64 {
        memory.address
    }

    fn size(memory: &Memory) -> usize {
        memory.bytes
    }

    fn write(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<(), DriverError> {
        check_range(offset, bytes.len(), memory.bytes);
        let written = lock(&self.link).write(memory.address + offset as u64, bytes);
        written.map_err(self.failed(format!("writing {} bytes", bytes.len())))
    }

    fn read(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), DriverError> {
        check_range(offset, bytes.len(), memory.bytes);
        let count = bytes.len();
        let read = lock(&self.link).read(memory.address + offset as u64, bytes);
        read.map_err(self.failed(format!("reading {count} bytes")))
    }

    fn clear(&self, memory: &Memory) -> Result<(), DriverError> {
        let cleared = lock(&self.link).clear(memory.address, memory.bytes as u64);
        cleared.map_err(self.failed(format!("clearing {} bytes", memory.bytes)))
    }

    fn copy(&self, memory: &Memory, from: usize, to: usize, bytes: usize) -> Result<(), DriverError> {
        check_range(from.max(to), bytes, memory.bytes);
        let copied =
            lock(&self.link).copy(memory.address + to as u64, memory.address + from as u64, bytes as u64);
        copied.map_err(self.failed(format!("copying {bytes} bytes")))
    }

    fn launch(&self, kernel: &str, shape: Shape, arguments: &Arguments) -> Result<(), DriverError> {
        let schedule = self.schedule.fetch_add(1, Ordering::Relaxed);
        let mut operation = format!("launching {kernel} on {:?} blocks of {}", shape.grid, shape.threads);
        write!(operation, " in schedule {schedule}").expect("text can grow");
        lock(&self.link).launch(kernel, shape, arguments, schedule).map_err(self.failed(operation))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // A runner that is gone has freed it.
        _ = lock(&self.link).free(self.address);
    }
}

/// A test that failed while it held the lock has failed; its memory is still freed.
fn lock(link: &Mutex<Link>) -> std::sync::MutexGuard<'_, Link> {
    link.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

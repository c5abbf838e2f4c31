//! A device that takes note of its launches, so that each kernel of a step can be measured by itself.

use super::arguments::Arguments;
use super::driver::{Driver, DriverError, Shape};
use super::measure::Stopwatch;
use super::weights::FILL;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Times that a kernel's launches are recorded one after the other, so that the start of a replay counts for little.
const REPEATS: usize = 4;

/// A device that does what another does.
#[derive(Clone)]
pub(crate) struct Noted<D> {
    driver: D,
    notes: Arc<Mutex<Notes>>,
}

#[derive(Default)]
struct Notes {
    /// Sizes of all memory, by its address.
    memory: BTreeMap<u64, usize>,
    /// Addresses of weights: what was filled.
    weights: BTreeSet<u64>,
    launches: Vec<Launch>,
}

/// A launch.
#[derive(Clone)]
struct Launch {
    kernel: String,
    shape: Shape,
    arguments: Arguments,
}

/// The launches of a kernel on a grid of one size.
pub(crate) struct Group {
    /// The kernel's name.
    pub(crate) kernel: String,
    /// Its blocks.
    pub(crate) grid: [usize; 3],
    /// Bytes of the weights that all of them are given.
    pub(crate) weight_bytes: u64,
    launches: Vec<Launch>,
}

impl Group {
    /// How many launches there are.
    pub(crate) fn count(&self) -> usize {
        self.launches.len()
    }
}

impl<D: Driver> Noted<D> {
    pub(crate) fn new(driver: D) -> Self {
        Self { driver, notes: Arc::default() }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the launches so far.
    pub(crate) fn listen(&self) {
        self.notes().launches.clear();
    }

    /// The launches since then, by kernel and grid, in the order of the first.
    pub(crate) fn heard(&self) -> Vec<Group> {
        let notes = self.notes();
        let mut groups: Vec<Group> = Vec::new();
        for launch in &notes.launches {
            let is_same =
                |group: &&mut Group| group.kernel == launch.kernel && group.grid == launch.shape.grid;
            let weights: BTreeSet<_> =
                launch.arguments.pointers().filter(|pointer| notes.weights.contains(pointer)).collect();
            let bytes = weights.iter().map(|pointer| notes.memory[pointer] as u64).sum::<u64>();
            if let Some(group) = groups.iter_mut().find(is_same) {
                group.launches.push(launch.clone());
                group.weight_bytes += bytes;
            } else {
                groups.push(Group {
                    kernel: launch.kernel.clone(),
                    grid: launch.shape.grid,
                    weight_bytes: bytes,
                    launches: vec![launch.clone()],
                });
            }
        }
        groups
    }

    /// Seconds that one of a group's launches takes, in a recording of them all: they go over the weights of every layer, as
    /// in a step. What they are given must still be alive.
    pub(crate) fn seconds(&self, stopwatch: &Stopwatch<D>, group: &Group) -> Result<f64, DriverError> {
        self.driver.begin_recording()?;
        let launch = |launch: &Launch| self.driver.launch(&launch.kernel, launch.shape, &launch.arguments);
        let launched = (0..REPEATS).flat_map(|_| &group.launches).try_for_each(launch);
        let graph = self.driver.end_recording();
        launched?;
        let graph = graph?;
        let seconds = stopwatch.seconds(|| self.driver.replay(&graph))?;
        Ok(seconds / (REPEATS * group.count()) as f64)
    }
}

impl<D: Driver> Driver for Noted<D> {
    type Memory = D::Memory;
    type Pinned = D::Pinned;
    type Graph = D::Graph;

    fn name(&self) -> String {
        self.driver.name()
    }

    fn arithmetic(&self) -> String {
        self.driver.arithmetic()
    }

    fn multiprocessors(&self) -> usize {
        self.driver.multiprocessors()
    }

    fn allocate(&self, bytes: usize) -> Result<D::Memory, DriverError> {
        let memory = self.driver.allocate(bytes)?;
        let mut notes = self.notes();
        notes.memory.insert(D::address(&memory), bytes);
        // The address may have been that of other memory.
        notes.weights.remove(&D::address(&memory));
        Ok(memory)
    }

    fn address(memory: &D::Memory) -> u64 {
        D::address(memory)
    }

    fn size(memory: &D::Memory) -> usize {
        D::size(memory)
    }

    fn write(&self, memory: &D::Memory, offset: usize, bytes: &[u8]) -> Result<(), DriverError> {
        self.driver.write(memory, offset, bytes)
    }

    fn read(&self, memory: &D::Memory, offset: usize, bytes: &mut [u8]) -> Result<(), DriverError> {
        self.driver.read(memory, offset, bytes)
    }

    fn clear(&self, memory: &D::Memory) -> Result<(), DriverError> {
        self.driver.clear(memory)
    }

    fn copy(&self, memory: &D::Memory, from: usize, to: usize, bytes: usize) -> Result<(), DriverError> {
        self.driver.copy(memory, from, to, bytes)
    }

    fn launch(&self, kernel: &str, shape: Shape, arguments: &Arguments) -> Result<(), DriverError> {
        self.driver.launch(kernel, shape, arguments)?;
        let mut notes = self.notes();
        if kernel == FILL {
            notes.weights.extend(arguments.pointers());
        } else {
            let (kernel, arguments) = (kernel.to_owned(), arguments.clone());
            notes.launches.push(Launch { kernel, shape, arguments });
        }
        Ok(())
    }

    fn pin(&self, bytes: usize) -> Result<D::Pinned, DriverError> {
        self.driver.pin(bytes)
    }

    fn send(&self, words: &[u32], through: &mut D::Pinned, to: &D::Memory) -> Result<(), DriverError> {
        self.driver.send(words, through, to)
    }

    fn fetch(&self, from: &D::Memory, bytes: usize, to: &mut D::Pinned) -> Result<(), DriverError> {
        self.driver.fetch(from, bytes, to)
    }

    fn fetched<'a>(&self, pinned: &'a D::Pinned) -> Result<&'a [u8], DriverError> {
        self.driver.fetched(pinned)
    }

    fn begin_recording(&self) -> Result<(), DriverError> {
        self.driver.begin_recording()
    }

    fn end_recording(&self) -> Result<D::Graph, DriverError> {
        self.driver.end_recording()
    }

    fn replay(&self, graph: &D::Graph) -> Result<(), DriverError> {
        self.driver.replay(graph)
    }
}

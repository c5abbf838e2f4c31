//! What a simulated device keeps track of, so that it refuses what a real one would fail at or, worse, would not notice.
//!
//! While launches are recorded nothing else may be asked for. While there are recorded launches no freed address is used
//! again, so that a replay with an address of before is found; so is a launch with an address that is nowhere.

use super::link::Link;
use crate::backend::cuda::arguments::Arguments;
use crate::backend::cuda::driver::Shape;
use std::collections::BTreeMap;

/// A runner, its memory and its recordings.
pub(super) struct Device {
    link: Link,
    /// Sizes of the memory that is alive, by its address.
    alive: BTreeMap<u64, usize>,
    /// Allocations so far.
    allocations: usize,
    /// Freed memory whose addresses are held back.
    freed: Vec<u64>,
    recording: Option<Recording>,
    /// Recordings that may be replayed.
    graphs: usize,
    /// The schedule of the next launch.
    pub(super) schedule: u64,
}

/// Launches since the recording began.
#[derive(Default)]
struct Recording {
    launches: Vec<Launch>,
    /// What was done that ends a recording without a result.
    spoiled: Option<&'static str>,
}

/// A kernel's launch.
pub(super) struct Launch {
    pub(super) kernel: String,
    pub(super) shape: Shape,
    pub(super) arguments: Arguments,
}

impl Device {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            alive: BTreeMap::new(),
            allocations: 0,
            freed: Vec::new(),
            recording: None,
            graphs: 0,
            schedule: 0,
        }
    }

    /// The runner, for all but launches.
    pub(super) fn link(&mut self) -> Result<&mut Link, String> {
        match &self.recording {
            None => Ok(&mut self.link),
            Some(_) => Err(String::from("launches are recorded, and nothing else may be asked for")),
        }
    }

    pub(super) fn allocate(&mut self, bytes: usize) -> Result<u64, String> {
        let address = self.link()?.allocate(bytes)?;
        self.alive.insert(address, bytes);
        self.allocations += 1;
        Ok(address)
    }

    /// Allocations so far, and bytes that are alive.
    pub(super) fn used(&self) -> (usize, usize) {
        (self.allocations, self.alive.values().sum())
    }

    pub(super) fn free(&mut self, address: u64) {
        self.alive.remove(&address);
        self.freed.push(address);
        if let Some(recording) = &mut self.recording {
            recording.spoiled = Some("memory was freed while launches were recorded");
        }
        self.free_held_back();
    }

    /// Runs or records a launch.
    pub(super) fn launch(&mut self, launch: Launch) -> Result<(), String> {
        match &mut self.recording {
            Some(recording) => recording.launches.push(launch),
            None => self.run(&launch)?,
        }
        Ok(())
    }

    fn run(&mut self, launch: &Launch) -> Result<(), String> {
        for address in launch.arguments.pointers().filter(|&address| address != 0) {
            let before = self.alive.range(..=address).next_back();
            if before.is_none_or(|(first, bytes)| address > first + *bytes as u64) {
                return Err(format!("{} is given the address of memory that is not alive", launch.kernel));
            }
        }
        let Launch { kernel, shape, arguments } = launch;
        self.schedule += 1;
        self.link.launch(kernel, *shape, arguments, self.schedule - 1)
    }

    pub(super) fn begin_recording(&mut self) -> Result<(), String> {
        self.link()?;
        self.recording = Some(Recording::default());
        Ok(())
    }

    pub(super) fn end_recording(&mut self) -> Result<Vec<Launch>, String> {
        let recording = self.recording.take().ok_or("nothing is recorded")?;
        if let Some(reason) = recording.spoiled {
            return Err(reason.to_owned());
        }
        self.graphs += 1;
        Ok(recording.launches)
    }

    pub(super) fn replay(&mut self, launches: &[Launch]) -> Result<(), String> {
        self.link()?;
        launches.iter().try_for_each(|launch| self.run(launch))
    }

    /// A recording is dropped.
    pub(super) fn forget_graph(&mut self) {
        self.graphs -= 1;
        self.free_held_back();
    }

    fn free_held_back(&mut self) {
        if self.graphs == 0 && self.recording.is_none() {
            for address in self.freed.drain(..) {
                // A runner that is gone has freed it.
                _ = self.link.free(address);
            }
        }
    }
}

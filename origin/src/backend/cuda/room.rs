//! Memory that is as large as what was asked for at most, and the activations that lie in it.

use super::driver::{Driver, DriverError};

/// Rooms grow in steps of this many bytes, so that a batch of a row more does not always ask for new memory.
const STEP_BYTES: usize = 1 << 16;

/// Scratch on the device; its contents are lost when it grows.
pub(crate) struct Room<D: Driver>(Option<D::Memory>);

/// The same in the host's memory that the device copies from and to.
pub(crate) struct PinnedRoom<D: Driver>(Option<(usize, D::Pinned)>);

impl<D: Driver> Default for Room<D> {
    fn default() -> Self {
        Self(None)
    }
}

impl<D: Driver> Default for PinnedRoom<D> {
    fn default() -> Self {
        Self(None)
    }
}

impl<D: Driver> Room<D> {
    /// Makes sure that it holds this many bytes.
    pub(crate) fn hold(&mut self, driver: &D, bytes: usize) -> Result<&D::Memory, DriverError> {
        let memory = match self.0.take().filter(|memory| D::size(memory) >= bytes) {
            Some(memory) => memory,
            None => driver.allocate(rounded_up(bytes))?,
        };
        Ok(self.0.insert(memory))
    }

    /// Holds this memory.
    pub(crate) fn replace(&mut self, memory: D::Memory) {
        self.0 = Some(memory);
    }

    /// What it holds.
    pub(crate) fn memory(&self) -> Option<&D::Memory> {
        self.0.as_ref()
    }

    /// Its address, or null where it holds nothing.
    pub(crate) fn address(&self) -> u64 {
        self.0.as_ref().map_or(0, D::address)
    }
}

impl<D: Driver> PinnedRoom<D> {
    /// Makes sure that it holds this many bytes.
    pub(crate) fn hold(&mut self, driver: &D, bytes: usize) -> Result<&mut D::Pinned, DriverError> {
        let held = match self.0.take().filter(|(size, _)| *size >= bytes) {
            Some(held) => held,
            None => (rounded_up(bytes), driver.pin(rounded_up(bytes))?),
        };
        Ok(&mut self.0.insert(held).1)
    }

    /// What it holds.
    pub(crate) fn memory(&self) -> Option<&D::Pinned> {
        self.0.as_ref().map(|(_, memory)| memory)
    }
}

/// Bytes that are allocated for this many.
pub(crate) fn rounded_up(bytes: usize) -> usize {
    bytes.next_multiple_of(STEP_BYTES).max(STEP_BYTES)
}

/// Counters on the device that every launch leaves at 0.
pub(crate) struct Zeros<D: Driver> {
    room: Room<D>,
    /// Of what is cleared.
    bytes: usize,
}

impl<D: Driver> Default for Zeros<D> {
    fn default() -> Self {
        Self { room: Room::default(), bytes: 0 }
    }
}

impl<D: Driver> Zeros<D> {
    /// Makes sure that there are this many bytes of them.
    pub(crate) fn hold(&mut self, driver: &D, bytes: usize) -> Result<&D::Memory, DriverError> {
        let memory = self.room.hold(driver, bytes)?;
        // Memory that grows is other memory.
        if D::size(memory) != self.bytes {
            driver.clear(memory)?;
            self.bytes = D::size(memory);
        }
        Ok(memory)
    }
}

/// A row of f32 activations for each token of a step.
pub(crate) struct Buffer<D: Driver> {
    pub(crate) rows: usize,
    pub(crate) width: usize,
    room: Room<D>,
}

impl<D: Driver> Buffer<D> {
    /// Room for rows; none of them is there yet.
    pub(crate) fn new(driver: &D, rows: usize, width: usize) -> Result<Self, DriverError> {
        let mut room = Room::default();
        room.hold(driver, rows * width * size_of::<f32>())?;
        Ok(Self { rows: 0, width, room })
    }

    /// Rows that are there.
    pub(crate) fn holding(memory: D::Memory, rows: usize, width: usize) -> Self {
        Self { rows, width, room: Room(Some(memory)) }
    }

    /// Room for this many rows; what they held is lost.
    pub(crate) fn reshape(&mut self, driver: &D, rows: usize, width: usize) -> Result<(), DriverError> {
        (self.rows, self.width) = (rows, width);
        self.room.hold(driver, rows * width * size_of::<f32>()).map(drop)
    }

    /// Where the rows are.
    pub(crate) fn address(&self) -> u64 {
        self.room.address()
    }

    /// The values of the first rows.
    pub(crate) fn values(&self, driver: &D, rows: usize) -> Result<Vec<f32>, DriverError> {
        let mut bytes = vec![0; rows * self.width * size_of::<f32>()];
        self.room.memory().map_or(Ok(()), |memory| driver.read(memory, 0, &mut bytes))?;
        Ok(bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }
}

//! How fast a device is: at copying, at multiplying, at any work that is repeated.

use super::arguments::Arguments;
use super::driver::{Driver, DriverError, Shape};
use std::time::Instant;

/// Of the blocks of `origin/kernels/measure.cu`, and the sums that a warp has under way there.
pub(crate) const FILL_THREADS: usize = 256;
pub(crate) const RATE_THREADS: usize = 256;
pub(crate) const CHAINS: usize = 8;
/// Operations of one instruction: 16 · 8 sums of 16 products.
const MMA_OPERATIONS: usize = 2 * 16 * 8 * 16;
/// Threads of a warp.
const WARP: usize = 32;
/// 1/16 twice, as halves.
const SIXTEENTHS: u32 = 0x2c00_2c00;
/// A sample lasts about as long, and there are as many.
const SAMPLE_SECONDS: f64 = 0.01;
const SAMPLES: usize = 5;
/// Runs of a sample, at most.
const RUNS_MAX: f64 = 1000.0;

/// Measures work on a device.
pub(crate) struct Stopwatch<D: Driver> {
    driver: D,
    /// What is read to wait for all work before.
    end: D::Memory,
}

/// The size of the measurements of a device's ceilings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// Bytes that are copied.
    pub(crate) copied: usize,
    /// Blocks that multiply, and their rounds.
    pub(crate) blocks: usize,
    pub(crate) rounds: usize,
}

impl Extent {
    /// Enough for the largest devices: half a gibibyte, and a millisecond or two of 8 blocks for each of 132
    /// multiprocessors.
    pub(crate) const GPU: Self = Self { copied: 1 << 29, blocks: 1056, rounds: 4096 };
}

impl<D: Driver> Stopwatch<D> {
    pub(crate) fn new(driver: &D) -> Result<Self, DriverError> {
        Ok(Self { driver: driver.clone(), end: driver.allocate(4)? })
    }

    /// Waits until all that was asked of the device is done.
    pub(crate) fn wait(&self) -> Result<(), DriverError> {
        self.driver.read(&self.end, 0, &mut [0; 4])
    }

    /// Seconds that work takes, one run after the other: the median of samples of many runs each.
    pub(crate) fn seconds(
        &self,
        mut work: impl FnMut() -> Result<(), DriverError>,
    ) -> Result<f64, DriverError> {
        let mut sample = |runs: usize| -> Result<f64, DriverError> {
            let started = Instant::now();
            for _ in 0..runs {
                work()?;
            }
            self.wait()?;
            Ok(started.elapsed().as_secs_f64() / runs as f64)
        };
        // The first run loads what it needs.
        sample(1)?;
        let runs = (SAMPLE_SECONDS / sample(1)?).clamp(1.0, RUNS_MAX) as usize;
        let mut samples = (0..SAMPLES).map(|_| sample(runs)).collect::<Result<Vec<_>, _>>()?;
        samples.sort_by(f64::total_cmp);
        Ok(samples[SAMPLES / 2])
    }

    /// Bytes a second that the device reads and writes while it copies.
    pub(crate) fn copy_rate(&self, extent: Extent) -> Result<f64, DriverError> {
        let memory = self.driver.allocate(2 * extent.copied)?;
        self.driver.clear(&memory)?;
        let seconds = self.seconds(|| self.driver.copy(&memory, 0, extent.copied, extent.copied))?;
        Ok(2.0 * extent.copied as f64 / seconds)
    }

    /// Operations a second of the tensor cores through `mma.sync`, in half precision with sums in f32.
    pub(crate) fn multiply_rate(&self, extent: Extent) -> Result<f64, DriverError> {
        let (_, seconds) = self.multiply(extent)?;
        let warps = extent.blocks * RATE_THREADS / WARP;
        Ok((warps * extent.rounds * CHAINS * MMA_OPERATIONS) as f64 / seconds)
    }

    /// Multiplies; each thread's sum and the seconds.
    pub(crate) fn multiply(&self, extent: Extent) -> Result<(D::Memory, f64), DriverError> {
        let sums = self.driver.allocate(extent.blocks * RATE_THREADS * size_of::<f32>())?;
        let operands = self.driver.allocate(8)?;
        self.driver.write(&operands, 0, [SIXTEENTHS; 2].map(u32::to_le_bytes).as_flattened())?;
        let addresses = [&sums, &operands].map(D::address);
        let arguments = addresses.into_iter().fold(Arguments::new(), Arguments::pointer).int(extent.rounds);
        let shape = Shape::new([extent.blocks, 1, 1], RATE_THREADS);
        let seconds = self.seconds(|| self.driver.launch("multiply_rate", shape, &arguments))?;
        Ok((sums, seconds))
    }
}

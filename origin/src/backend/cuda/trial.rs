//! The kernels' cases on a GPU, through the launches that serve requests.

use super::cases;
use super::driver::Driver;
use super::gpu::{Gpu, GpuAbsence};
use std::time::{Duration, Instant};

/// What came of a case.
#[derive(Debug)]
pub struct Trial {
    /// The file of kernels that it is about.
    pub subject: &'static str,
    /// What should hold.
    pub promise: &'static str,
    /// How long it took, what it is compared with included.
    pub elapsed: Duration,
    /// Why it does not hold, if it does not.
    pub fault: Option<String>,
}

/// Tries every kernel on a GPU, and tells of each case as soon as it is over.
pub fn try_kernels(ordinal: usize, tell: impl FnMut(Trial)) -> Result<(), GpuAbsence> {
    Gpu::open(ordinal).map(|gpu| trials(&gpu).for_each(tell))
}

fn trials<D: Driver>(device: &D) -> impl Iterator<Item = Trial> {
    cases::all().into_iter().map(|case| {
        let started = Instant::now();
        let fault = (case.run)(device).err().map(|error| error.to_string());
        Trial { subject: case.subject, promise: case.promise, elapsed: started.elapsed(), fault }
    })
}

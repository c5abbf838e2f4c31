//! The kernels' cases on a device, through the launches that serve requests.

use super::cases;
use super::driver::Driver;
use serde::Serialize;
use std::time::Instant;

/// What came of a case.
#[derive(Debug, Serialize)]
pub struct Trial {
    /// The file of kernels that it is about.
    #[serde(rename = "kernel")]
    pub subject: &'static str,
    /// What should hold.
    pub promise: &'static str,
    /// How long it took, the sums that it is compared with included.
    pub milliseconds: f64,
    /// Why it does not hold, if it does not.
    pub fault: Option<String>,
}

/// Tries every kernel on a device, a case when it is asked for.
pub(crate) fn trials<D: Driver>(device: &D) -> impl Iterator<Item = Trial> {
    cases::all().into_iter().map(|case| {
        let started = Instant::now();
        let fault = (case.run)(device).err().map(|error| error.to_string());
        let milliseconds = started.elapsed().as_secs_f64() * 1e3;
        Trial { subject: case.subject, promise: case.promise, milliseconds, fault }
    })
}

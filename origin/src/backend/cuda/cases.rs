//! What the kernels must get right, beside plain sums: the tests try it in the simulator, `origin selftest` on a GPU.

pub(crate) mod arrays;
mod attend;
mod embed;
mod heads;
mod measure;
mod memory;
pub(crate) mod normalise;
pub(crate) mod product;
pub(crate) mod recording;
mod rotate;
mod sample;

use super::driver::{Driver, DriverError};
use crate::backend::BackendError;

/// One promise, and how it is tried on a device.
pub(crate) struct Case<D> {
    /// The file of kernels that it is about, without the ending.
    pub(crate) subject: &'static str,
    /// What holds.
    pub(crate) promise: &'static str,
    /// Finds out whether it does.
    pub(crate) run: fn(&D) -> Result<(), CaseError>,
}

/// Why a case does not hold.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaseError {
    /// The device refused or failed.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The backend refused or failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// It computed something else.
    #[error("{0}")]
    Differs(String),
}

/// All cases, those of a subject side by side.
pub(crate) fn all<D: Driver>() -> Vec<Case<D>> {
    [
        memory::cases(),
        recording::cases(),
        embed::cases(),
        normalise::cases(),
        product::cases(),
        rotate::cases(),
        attend::cases(),
        sample::cases(),
        measure::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// An error of these words unless the condition holds.
fn ensure(condition: bool, words: impl FnOnce() -> String) -> Result<(), CaseError> {
    if condition { Ok(()) } else { Err(CaseError::Differs(words())) }
}

/// An error that names the place unless a number is within a tolerance of the wanted one.
fn near(
    found: impl Into<f64>,
    wanted: f64,
    tolerance: f64,
    place: impl FnOnce() -> String,
) -> Result<(), CaseError> {
    let found = found.into();
    // Written so that what is no number is not near.
    ensure((found - wanted).abs() <= tolerance, || {
        format!("{}: {found} instead of {wanted} ± {tolerance:e}", place())
    })
}

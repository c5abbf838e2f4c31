//! The kernels in the simulator.

mod cases;
// The compiler that the tests fetch is that of one system.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod compile;
mod packed;
mod planted;
mod recording;
mod refusals;

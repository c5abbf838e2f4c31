//! The kernels in the simulator, beside plain sums.

mod attention;
// The compiler that the tests fetch is that of one system.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod compile;
mod device;
mod embed;
mod memory;
mod normalise;
mod planted;
mod product;
mod recording;
mod sampling;

//! The binary on GPUs, as far as it goes without one: a driver of the tests' own keeps memory and runs nothing. What is
//! shown is how devices are opened, chosen, lost and opened anew; what kernels compute is tested elsewhere.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod absence;
mod driver;
mod origin;
mod selftest;
mod serving;

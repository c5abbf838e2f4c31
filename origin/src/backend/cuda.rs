//! The CUDA backend: the kernels of `origin/kernels`, written once over a [`driver::Driver`].
//!
//! A driver is a device with memory and launches. The simulator is one, in which every kernel is tested on machines
//! without a GPU.

mod arguments;
mod driver;
mod nvrtc;
mod packed;
mod simulator;
mod sources;
mod tests;

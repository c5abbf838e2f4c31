//! What runs a model's operations: the CPU now, CUDA later.

pub mod batch;
pub mod sampling;

//! Language models of the Llama family: their configuration, their tensors, and the graph that runs them.

pub mod config;
pub mod llama;
pub mod random;
pub mod tensors;

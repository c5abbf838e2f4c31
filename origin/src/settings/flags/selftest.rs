//! What `origin selftest` is asked for.

use crate::settings::device::one_gpu;
use clap::Args;
use std::path::PathBuf;

/// Flags of `origin selftest`.
#[derive(Debug, Args)]
pub struct SelftestFlags {
    /// The GPU: cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cuda", value_parser = one_gpu)]
    pub device: usize,
    /// A model to compare with the CPU: a GGUF file or a Hugging Face folder [default: the default model's shape with
    /// random weights, in every format]
    #[arg(long, value_name = "PATH")]
    pub model: Option<PathBuf>,
    /// Print the outcome as JSON
    #[arg(long)]
    pub json: bool,
}

//! What `origin bench` is asked for.

use crate::model::shape::ModelShape;
use crate::model::tensors::random::WeightFormat;
use crate::settings::device::one_gpu;
use clap::Args;

/// Sequences at once, at most.
pub const BATCH_MAX: usize = 1024;

/// Flags of `origin bench`.
#[derive(Debug, Args)]
pub struct BenchFlags {
    /// The GPU: cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cuda", value_parser = one_gpu)]
    pub device: usize,
    /// Model shapes
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_values_t = ModelShape::ALL)]
    pub shapes: Vec<ModelShape>,
    /// Weight formats: f16, bf16, int8, int4
    #[arg(long, value_name = "FORMAT,…", value_delimiter = ',', value_parser = format, default_value = "f16,int8,int4")]
    pub formats: Vec<WeightFormat>,
    /// Sequences at once
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = batch, default_value = "1,8,32,128")]
    pub batches: Vec<usize>,
    /// Measure nothing, and need no GPU: print bytes, operations and the least time that an H100 would need by its
    /// data sheet
    #[arg(long)]
    pub dry_run: bool,
    /// Print the outcome as JSON
    #[arg(long)]
    pub json: bool,
}

fn format(text: &str) -> Result<WeightFormat, String> {
    let found = WeightFormat::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("'{text}' is no weight format; f16, bf16, int8 and int4 are"))
}

fn batch(text: &str) -> Result<usize, String> {
    let found = text.parse().ok().filter(|batch| (1..=BATCH_MAX).contains(batch));
    found.ok_or_else(|| format!("'{text}' is no number of sequences; 1 to {BATCH_MAX} are"))
}

//! `origin selftest`: whether a GPU computes what it should, kernel by kernel and for whole models.

mod models;
mod report;
#[cfg(test)]
mod tests;

use crate::backend::Backend;
use crate::backend::cpu::Cpu;
use crate::backend::cuda::{Cuda, Gpu, GpuAbsence, trials};
use crate::model::checkpoint::Checkpoint;
use crate::model::llama::{Llama, LlamaError, ModelError, course};
use crate::model::load_error::LoadError;
use crate::model::random::WeightFormat;
use crate::model::shape::ModelShape;
use crate::settings::flags::selftest::SelftestFlags;
use models::{LANES_MAX, STEPS, Trio};
use report::Report;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub enum SelftestError {
    /// No GPU.
    #[error(transparent)]
    Gpu(#[from] GpuAbsence),
    /// The model's files.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The model's shape, or memory for it.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Either.
    #[error(transparent)]
    Llama(#[from] LlamaError),
}

/// Tries every kernel and whole models on a GPU, and prints what came of it; whether all passed.
pub fn run(flags: &SelftestFlags) -> Result<bool, SelftestError> {
    let gpu = Gpu::open(flags.device)?;
    let cuda = || Cuda::new(gpu.clone());
    let mut report = Report::new(cuda().name(), flags.json);
    trials(&gpu).for_each(|trial| report.kernel(trial));
    if let Some(path) = &flags.model {
        let no_adapters: [PathBuf; 0] = [];
        let checkpoint = Checkpoint::open(path, &no_adapters)?;
        let limits = course::limits(LANES_MAX, STEPS);
        let mut trio = Trio {
            reference: Llama::load(cpu(), &checkpoint, limits)?,
            recorded: Llama::load(cuda(), &checkpoint, limits)?,
            plain: Llama::load(cuda().without_graphs(), &checkpoint, limits)?,
        };
        // A file may have matrices of several formats.
        let tolerance = WeightFormat::ALL.map(tolerance).into_iter().fold(0.0, f64::max);
        trio.trials("file", tolerance, STEPS, |trial| report.model(trial));
    } else {
        let config = ModelShape::Smol135M.config();
        for format in WeightFormat::ALL {
            let mut trio = Trio::random(&config, format, STEPS, [cuda(), cuda().without_graphs()])?;
            trio.trials(format.name(), tolerance(format), STEPS, |trial| report.model(trial));
        }
    }
    report.finish();
    Ok(report.passed)
}

/// The CPU with all its cores.
fn cpu() -> Cpu {
    Cpu::new(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
}

/// How far a model's logits may be from the CPU's: twice to three times what the simulated device is off with the default
/// model's shape. A device rounds the rows of every product to 16 bits; the CPU those of quantised matrices to 8.
fn tolerance(format: WeightFormat) -> f64 {
    match format {
        WeightFormat::F16 => 4e-3,
        WeightFormat::Bf16 => 2.5e-2,
        WeightFormat::Int8 | WeightFormat::Int4 => 6e-2,
    }
}

//! `origin bench`: how fast a GPU runs each kernel and whole models, beside the least time that it could need.

mod kernels;
mod models;
mod report;
pub mod table;
#[cfg(test)]
mod tests;
mod work;

use crate::backend::StepLimits;
use crate::backend::batch::{BLOCK_TOKENS, Batch, SampleRow, SequenceSpan};
use crate::backend::cuda::{Cuda, Driver, DriverError, Extent, Gpu, GpuAbsence, Stopwatch};
use crate::backend::sampling::SampleParams;
use crate::model::llama::{ModelError, ModelLimits, StepError};
use crate::settings::flags::bench::BenchFlags;
use report::{KernelReport, ModelReport, Report};
use work::{Ceilings, Step};

/// Tokens of a prompt and of an answer. The whole answer lies in the second part of its context.
const PROMPT: usize = 128;
const ANSWER: usize = 64;
/// Sequences of the prompts whose kernels are measured: a step of 512 tokens.
const PROMPTS: usize = 4;

/// NVIDIA's data sheet of the H100 SXM: memory's bandwidth, and half precision without sparsity.
const H100: Ceilings = Ceilings { bytes: 3.35e12, operations: 989e12 };

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// No GPU.
    #[error(transparent)]
    Gpu(#[from] GpuAbsence),
    /// The GPU failed.
    #[error("{0}")]
    Driver(String),
    /// A model that the GPU cannot take over.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A model's step.
    #[error(transparent)]
    Step(#[from] StepError),
}

impl From<DriverError> for BenchError {
    fn from(error: DriverError) -> Self {
        Self::Driver(error.to_string())
    }
}

/// Measures, or computes where no GPU is to be used, and prints.
pub fn run(flags: &BenchFlags) -> Result<(), BenchError> {
    let report = if flags.dry_run {
        computed(flags)
    } else {
        let gpu = Gpu::open(flags.device)?;
        measured(&gpu, Extent::GPU, flags)?
    };
    println!("{}", if flags.json { report.json() } else { report.tables() });
    Ok(())
}

/// The prompts and the answers of a batch.
type Steps = (Step, Step);

/// For each shape in each format the steps that are measured at each batch size.
fn plans(flags: &BenchFlags) -> impl Iterator<Item = Vec<Steps>> {
    let pairs =
        flags.shapes.iter().flat_map(|&shape| flags.formats.iter().map(move |&format| (shape, format)));
    pairs.map(|(shape, format)| {
        let prompts = flags.batches.iter().map(|&batch| Step::prompts(shape, format, batch));
        prompts.map(|prompts| (prompts.clone(), prompts.answer())).collect()
    })
}

/// The steps whose kernels are measured: every answer, and a few prompts.
fn kernel_steps(plan: &[Steps]) -> impl Iterator<Item = Step> {
    let prompts = plan.first().map(|(prompts, _)| Step { sequences: PROMPTS, ..prompts.clone() });
    plan.iter().map(|(_, answer)| answer.clone()).chain(prompts)
}

fn computed(flags: &BenchFlags) -> Report {
    let mut report = Report::new("NVIDIA H100 SXM".to_owned(), true, H100);
    for plan in plans(flags) {
        for step in kernel_steps(&plan) {
            let kernels = step.parts().into_iter().map(|part| KernelReport {
                name: part.name.to_owned(),
                count: part.count,
                ..KernelReport::of(&step, part.work, part.work.floor(H100) * 1e6)
            });
            report.kernels.extend(kernels);
        }
        let steps = plan.iter().flat_map(|(prompts, answer)| [prompts, answer]);
        report.models.extend(steps.map(|step| ModelReport::of(step, H100, None)));
    }
    report
}

fn measured<D: Driver>(device: &D, extent: Extent, flags: &BenchFlags) -> Result<Report, BenchError> {
    let stopwatch = Stopwatch::new(device)?;
    let ceilings =
        Ceilings { bytes: stopwatch.copy_rate(extent)?, operations: stopwatch.multiply_rate(extent)? };
    let mut report = Report::new(device.name(), false, ceilings);
    for plan in plans(flags) {
        let Some((first, _)) = plan.first() else { continue };
        eprintln!("{} in {}", first.shape, first.format.name());
        // What does not fit a device is told; the rest is measured.
        if let Err(error) = measure(device, &stopwatch, &plan, &mut report, ceilings) {
            let fault = Some(error.to_string());
            report.models.push(ModelReport { fault, ..ModelReport::of(first, ceilings, None) });
        }
    }
    Ok(report)
}

/// Measures the kernels of a model's steps, then the steps.
fn measure<D: Driver>(
    device: &D,
    stopwatch: &Stopwatch<D>,
    plan: &[Steps],
    report: &mut Report,
    ceilings: Ceilings,
) -> Result<(), BenchError> {
    for step in kernel_steps(plan) {
        report.kernels.extend(kernels::kernels(device, stopwatch, &step, ceilings)?);
    }
    let backend = Cuda::new(device.clone()).with_made_up_weights();
    report.models.extend(models::models(backend, plan, ceilings)?);
    Ok(())
}

/// Room for so many sequences with a prompt and an answer each, and for steps of so many tokens.
fn limits(sequences: usize, tokens: usize) -> ModelLimits {
    let context = PROMPT + ANSWER;
    let step = StepLimits { tokens: tokens.max(sequences), sequences, context };
    ModelLimits { blocks: sequences * context.div_ceil(BLOCK_TOKENS), step }
}

/// Runs a step's batch: the same tokens in every sequence, the likeliest one chosen for each.
fn batch_of<E: Into<BenchError>>(
    step: &Step,
    run: impl FnOnce(&Batch<'_>) -> Result<(), E>,
) -> Result<(), BenchError> {
    let Step { sequences, tokens, before, .. } = *step;
    let lane = (PROMPT + ANSWER).div_ceil(BLOCK_TOKENS);
    let blocks: Vec<u32> = (0..(sequences * lane) as u32).collect();
    let span = |blocks| SequenceSpan { start: before, count: tokens, blocks };
    let spans: Vec<_> = blocks.chunks_exact(lane).map(span).collect();
    let ids: Vec<u32> = (0..step.rows() as u32).map(|row| row * 7919 % step.config.vocab as u32).collect();
    let params = SampleParams { temperature: 0.0, ..SampleParams::default() };
    let sample = |sequence: usize| SampleRow {
        row: (sequence + 1) * tokens - 1,
        params,
        position: 0,
        history: &[],
        mask: None,
    };
    let samples: Vec<_> = (0..sequences).map(sample).collect();
    run(&Batch { tokens: &ids, sequences: &spans, samples: &samples }).map_err(Into::into)
}

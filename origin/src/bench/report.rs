//! What was measured or computed, as tables and as JSON.

use super::table::markdown;
use super::work::{Ceilings, Step, Work};
use serde::Serialize;

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) device: String,
    /// Whether the ceilings, and all that lacks a time, were computed from published figures: nothing was measured then.
    pub(super) is_computed: bool,
    pub(super) ceilings: CeilingsReport,
    pub(super) kernels: Vec<KernelReport>,
    pub(super) models: Vec<ModelReport>,
}

/// What floors are computed from.
#[derive(Debug, Serialize)]
pub(super) struct CeilingsReport {
    pub(super) copy_gigabytes_per_second: f64,
    pub(super) multiply_teraflops: f64,
}

/// A kernel or an operation in a step of a model.
#[derive(Debug, Serialize)]
pub(super) struct KernelReport {
    pub(super) shape: &'static str,
    pub(super) weights: &'static str,
    /// Tokens of the step.
    pub(super) rows: usize,
    pub(super) name: String,
    /// Blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grid: Option<[usize; 3]>,
    /// Launches in a step.
    pub(super) count: usize,
    /// Of one launch.
    pub(super) bytes: usize,
    pub(super) operations: usize,
    pub(super) floor_microseconds: f64,
    pub(super) microseconds: Option<f64>,
    /// The floor over the time.
    pub(super) share: Option<f64>,
}

/// A model's prompts or answers.
#[derive(Debug, Serialize)]
pub(super) struct ModelReport {
    pub(super) shape: &'static str,
    pub(super) weights: &'static str,
    pub(super) batch: usize,
    /// `decode` or `prefill`.
    pub(super) phase: &'static str,
    /// Tokens that the time is for.
    pub(super) tokens: usize,
    pub(super) bytes: usize,
    pub(super) operations: usize,
    pub(super) floor_milliseconds: f64,
    pub(super) milliseconds: Option<f64>,
    pub(super) tokens_per_second: Option<f64>,
    /// The floor over the time.
    pub(super) share: Option<f64>,
    /// Why it could not be measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<String>,
}

impl Report {
    /// Nothing yet.
    pub(super) fn new(device: String, is_computed: bool, ceilings: Ceilings) -> Self {
        let ceilings = CeilingsReport {
            copy_gigabytes_per_second: ceilings.bytes / 1e9,
            multiply_teraflops: ceilings.operations / 1e12,
        };
        Self { device, is_computed, ceilings, kernels: Vec::new(), models: Vec::new() }
    }
}

impl KernelReport {
    /// The work of a step's kernel, still without name and time.
    pub(super) fn of(step: &Step, work: Work, floor_microseconds: f64) -> Self {
        Self {
            shape: step.shape,
            weights: step.format.name(),
            rows: step.rows(),
            name: String::new(),
            grid: None,
            count: 1,
            bytes: work.bytes,
            operations: work.operations,
            floor_microseconds,
            microseconds: None,
            share: None,
        }
    }
}

impl ModelReport {
    /// A model's step, with the seconds that it takes where they were measured.
    pub(super) fn of(step: &Step, ceilings: Ceilings, seconds: Option<f64>) -> Self {
        let work = step.work();
        let floor = work.floor(ceilings);
        Self {
            shape: step.shape,
            weights: step.format.name(),
            batch: step.sequences,
            phase: if step.tokens == 1 { "decode" } else { "prefill" },
            tokens: step.rows(),
            bytes: work.bytes,
            operations: work.operations,
            floor_milliseconds: floor * 1e3,
            milliseconds: seconds.map(|seconds| seconds * 1e3),
            tokens_per_second: seconds.map(|seconds| step.rows() as f64 / seconds),
            share: seconds.map(|seconds| floor / seconds),
            fault: None,
        }
    }
}

const KERNELS: [&str; 11] =
    ["shape", "weights", "rows", "kernel", "launches", "kB", "MFLOP", "floor µs", "µs", "GB/s", "share"];
const MODELS: [&str; 11] =
    ["shape", "weights", "batch", "phase", "tokens", "MB", "GFLOP", "floor ms", "ms", "tokens/s", "share"];

impl Report {
    /// As JSON.
    pub(super) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is JSON")
    }

    /// As tables.
    pub(super) fn tables(&self) -> String {
        let CeilingsReport { copy_gigabytes_per_second: copy, multiply_teraflops: multiply } = self.ceilings;
        let origin =
            if self.is_computed { "computed from published figures, NOT measured" } else { "measured" };
        let kernels: Vec<_> = self.kernels.iter().map(KernelReport::cells).collect();
        let models: Vec<_> = self.models.iter().map(ModelReport::cells).collect();
        let faults = self.models.iter().filter_map(|model| {
            let fault = model.fault.as_ref()?;
            Some(format!("{} {} at batch {}: {fault}\n", model.shape, model.weights, model.batch))
        });
        format!(
            "{} ({origin})\n\nceilings: {copy:.0} GB/s copied, {multiply:.0} TFLOP/s multiplied\n\n{}\n{}{}",
            self.device,
            markdown(&KERNELS, &kernels),
            markdown(&MODELS, &models),
            faults.collect::<String>()
        )
    }
}

/// A number with so many places, or a dash where there is none.
fn number(value: Option<f64>, places: usize) -> String {
    value.map_or_else(|| String::from("–"), |value| format!("{value:.places$}"))
}

impl KernelReport {
    fn cells(&self) -> Vec<String> {
        let rate = self.microseconds.map(|time| self.bytes as f64 / time / 1e3);
        let grid = self.grid.map_or_else(String::new, |[x, y, z]| format!(" ({x}×{y}×{z})"));
        vec![
            self.shape.to_owned(),
            self.weights.to_owned(),
            self.rows.to_string(),
            format!("{}{grid}", self.name),
            self.count.to_string(),
            number(Some(self.bytes as f64 / 1e3), 1),
            number(Some(self.operations as f64 / 1e6), 1),
            number(Some(self.floor_microseconds), 2),
            number(self.microseconds, 2),
            number(rate, 0),
            number(self.share, 2),
        ]
    }
}

impl ModelReport {
    fn cells(&self) -> Vec<String> {
        vec![
            self.shape.to_owned(),
            self.weights.to_owned(),
            self.batch.to_string(),
            self.phase.to_owned(),
            self.tokens.to_string(),
            number(Some(self.bytes as f64 / 1e6), 1),
            number(Some(self.operations as f64 / 1e9), 1),
            number(Some(self.floor_milliseconds), 3),
            number(self.milliseconds, 3),
            number(self.tokens_per_second, 0),
            number(self.share, 2),
        ]
    }
}

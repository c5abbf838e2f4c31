//! What a selftest found, as lines for people and as JSON.

use super::models::ModelTrial;
use crate::backend::cuda::Trial;
use serde::Serialize;

/// All outcomes.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) device: String,
    pub(super) kernels: Vec<Trial>,
    pub(super) models: Vec<ModelTrial>,
    pub(super) passed: bool,
    #[serde(skip)]
    is_json: bool,
}

impl Report {
    /// Nothing yet. Lines are printed as outcomes come in, unless the whole is to be JSON.
    pub(super) fn new(device: String, is_json: bool) -> Self {
        let report = Self { device, kernels: Vec::new(), models: Vec::new(), passed: true, is_json };
        report.line(|| report.device.clone());
        report
    }

    /// Takes in a kernel's case.
    pub(super) fn kernel(&mut self, trial: Trial) {
        if self.kernels.is_empty() {
            self.line(|| format!("\n{:<4}  {:<13}  {:>9}  promise", "", "kernel", "ms"));
        }
        self.passed &= trial.fault.is_none();
        self.line(|| {
            let line = format!(
                "{:<4}  {:<13}  {:>9.1}  {}",
                verdict(trial.fault.as_ref()),
                trial.subject,
                trial.milliseconds,
                trial.promise
            );
            with_fault(&line, trial.fault.as_ref())
        });
        self.kernels.push(trial);
    }

    /// Takes in a model at a batch size.
    pub(super) fn model(&mut self, trial: ModelTrial) {
        if self.models.is_empty() {
            self.line(|| {
                format!(
                    "\n{:<4}  {:<8}  {:>5}  {:>13}  {:>9}  {:>13}  {:>7}",
                    "", "weights", "batch", "logits' error", "at most", "equal tokens", "seconds"
                )
            });
        }
        self.passed &= trial.fault.is_none();
        self.line(|| {
            let line = format!(
                "{:<4}  {:<8}  {:>5}  {:>13.1e}  {:>9.1e}  {:>13}  {:>7.1}",
                verdict(trial.fault.as_ref()),
                trial.weights,
                trial.batch,
                trial.error,
                trial.tolerance,
                format!("{} of {}", trial.same, trial.tokens),
                trial.seconds
            );
            with_fault(&line, trial.fault.as_ref())
        });
        self.models.push(trial);
    }

    /// Prints the end, or all of it.
    pub(super) fn finish(&self) {
        if self.is_json {
            println!("{}", serde_json::to_string_pretty(self).expect("a report is JSON"));
        } else {
            println!("\n{}", if self.passed { "all passed" } else { "FAILED" });
        }
    }

    fn line(&self, line: impl FnOnce() -> String) {
        if !self.is_json {
            println!("{}", line());
        }
    }
}

fn verdict(fault: Option<&String>) -> &'static str {
    if fault.is_some() { "FAIL" } else { "ok" }
}

fn with_fault(line: &str, fault: Option<&String>) -> String {
    fault.map_or_else(|| line.to_owned(), |fault| format!("{line}\n      {fault}"))
}

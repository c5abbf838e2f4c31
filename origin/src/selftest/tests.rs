//! The models' part on the simulated device; the kernels' cases have tests of their own.

use super::models::{LANES, ModelTrial, Trio};
use super::tolerance;
use crate::backend::cuda::{Checks, Cuda, KernelMutation, Simulator};
use crate::model::config::{ModelConfig, Rope, RopeScaling};
use crate::model::random::WeightFormat;

const STEPS: usize = 3;

fn trials(format: WeightFormat, [recorded, plain]: [Simulator; 2]) -> Vec<ModelTrial> {
    let config = ModelConfig {
        layers: 1,
        dim: 64,
        heads: 2,
        kv_heads: 1,
        head_dim: 32,
        hidden: 96,
        vocab: 203,
        context_max: 512,
        norm_epsilon: 1e-5,
        rope: Rope { theta: 10_000.0, scaling: RopeScaling::None },
    };
    let backends = [Cuda::new(recorded), Cuda::new(plain).without_graphs()];
    let mut trio = Trio::random(&config, format, STEPS, backends).expect("a model");
    let mut trials = Vec::new();
    trio.trials(format.name(), tolerance(format), STEPS, |trial| trials.push(trial));
    trials
}

#[test]
fn models_agree_with_the_cpu_at_every_batch_size() {
    for format in WeightFormat::ALL {
        let device = Simulator::new(Checks::Plain);
        for (trial, batch) in trials(format, [device.clone(), device]).into_iter().zip(LANES) {
            assert_eq!((&trial.fault, trial.batch, trial.tokens), (&None, batch, batch * STEPS), "{trial:?}");
            assert!(trial.error > 0.0 && trial.same > trial.tokens * 9 / 10, "{trial:?}");
        }
    }
}

/// All faults found in a model whose embedding is multiplied by this, in recorded steps alone or in all.
fn faults(instead: &'static str, in_recorded_alone: bool) -> String {
    let mutation = KernelMutation { file: "embed.cu", text: "Format::weight(table,", instead };
    let broken = Simulator::mutated(Checks::Plain, &mutation);
    let plain = if in_recorded_alone { Simulator::new(Checks::Plain) } else { broken.clone() };
    let trials = trials(WeightFormat::F16, [broken, plain]);
    trials.into_iter().filter_map(|trial| trial.fault).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_model_that_computes_something_else_fails() {
    let other = faults("1.5f * Format::weight(table,", false);
    assert!(other.contains("the logits are ") && other.contains("more than 4.0e-3"), "{other}");
    assert!(!other.contains("bits"), "{other}");
}

#[test]
fn a_sequence_that_depends_on_the_batch_fails() {
    let company = faults("(gridDim.x > 8 ? 1.001f : 1.0f) * Format::weight(table,", false);
    assert_eq!(company, "sequences have other bits among 33 than among fewer");
}

#[test]
fn a_recorded_step_that_computes_something_else_fails() {
    let recorded = faults("1.001f * Format::weight(table,", true);
    assert!(recorded.starts_with("recorded steps give other bits than those launched kernel by kernel"));
}

//! Whole models on a device beside the CPU.

use crate::backend::Backend;
use crate::backend::cpu::Cpu;
use crate::model::config::ModelConfig;
use crate::model::llama::course::{self, Agreement, Course};
use crate::model::llama::{Llama, ModelError, StepError};
use crate::model::random::WeightFormat;
use serde::Serialize;
use std::time::Instant;

/// Sequences at once.
pub(super) const LANES: [usize; 4] = [1, 3, 8, 33];
pub(super) const LANES_MAX: usize = LANES[LANES.len() - 1];
/// Steps of a course, the first for the prompts.
pub(super) const STEPS: usize = 24;
/// How far apart the logits of two tokens may lie, one of which either side holds for the likeliest: so many times the
/// tolerance of all logits' root mean square.
const GAP: f64 = 4.0;

/// A model on the CPU, and twice on a device: with recorded steps, and launched kernel by kernel.
pub(super) struct Trio<R: Backend, B: Backend> {
    pub(super) reference: Llama<R>,
    pub(super) recorded: Llama<B>,
    pub(super) plain: Llama<B>,
}

/// What came of a model at a batch size.
#[derive(Debug, Serialize)]
pub(super) struct ModelTrial {
    /// The weights' format, or where they are from.
    pub(super) weights: String,
    /// Sequences at once.
    pub(super) batch: usize,
    /// The logits' error, relative to their root mean square.
    pub(super) error: f64,
    /// What it may be.
    pub(super) tolerance: f64,
    /// Greedy tokens.
    pub(super) tokens: usize,
    /// Those that are the CPU's.
    pub(super) same: usize,
    pub(super) seconds: f64,
    /// What is wrong, if anything is.
    pub(super) fault: Option<String>,
}

impl<B: Backend> Trio<Cpu, B> {
    /// A model of random weights, on a device with recorded steps and on the same without.
    pub(super) fn random(
        config: &ModelConfig,
        format: WeightFormat,
        steps: usize,
        [recorded, plain]: [B; 2],
    ) -> Result<Self, ModelError> {
        let limits = course::limits(LANES_MAX, steps);
        let plain = Llama::from_random(plain, config.clone(), 1, format, limits)?;
        let recorded = Llama::from_random(recorded, config.clone(), 1, format, limits)?;
        let reference = Llama::from_random(super::cpu(), config.clone(), 1, format, limits)?;
        Ok(Self { reference, recorded, plain })
    }
}

impl<R: Backend, B: Backend> Trio<R, B> {
    /// Tries the model at each batch size, and tells of each.
    pub(super) fn trials(
        &mut self,
        weights: &str,
        tolerance: f64,
        steps: usize,
        mut tell: impl FnMut(ModelTrial),
    ) {
        let mut fewer = Course::default();
        for batch in LANES {
            let started = Instant::now();
            let tried = self.trial(batch, tolerance, steps, &mut fewer);
            let seconds = started.elapsed().as_secs_f64();
            let (agreement, fault) = match tried {
                Ok((agreement, fault)) => (Some(agreement), fault),
                Err(error) => (None, Some(error.to_string())),
            };
            let count = |count: fn(Agreement) -> usize| agreement.map_or(0, count);
            tell(ModelTrial {
                weights: weights.to_owned(),
                batch,
                error: agreement.map_or(f64::NAN, |agreement| agreement.error),
                tolerance,
                tokens: count(|agreement| agreement.tokens),
                same: count(|agreement| agreement.same),
                seconds,
                fault,
            });
        }
    }

    /// One batch size; `fewer` is the course of the one before, and becomes this one's.
    fn trial(
        &mut self,
        batch: usize,
        tolerance: f64,
        steps: usize,
        fewer: &mut Course,
    ) -> Result<(Agreement, Option<String>), StepError> {
        let wanted = self.reference.course(batch, steps, None)?;
        let found = self.recorded.course(batch, steps, Some(&wanted))?;
        let plain = self.plain.course(batch, steps, Some(&wanted))?;
        let agreement = found.agreement(&wanted);
        let mut faults = Vec::new();
        if agreement.error.is_nan() || agreement.error > tolerance {
            faults.push(format!("the logits are {:.1e} off, more than {tolerance:.1e}", agreement.error));
        }
        if agreement.gap > GAP * tolerance {
            faults.push(format!("a token is chosen whose logit is {:.1e} below the greatest", agreement.gap));
        }
        if found != plain {
            faults.push(String::from("recorded steps give other bits than those launched kernel by kernel"));
        }
        if !found.begins_with(fewer) {
            faults.push(format!("sequences have other bits among {batch} than among fewer"));
        }
        *fewer = found;
        Ok((agreement, Some(faults.join("; ")).filter(|faults| !faults.is_empty())))
    }
}

//! Whole models: the prompts of a batch, then its answers.

use super::report::ModelReport;
use super::work::{Ceilings, Step};
use super::{ANSWER, BenchError, PROMPT, batch_of, limits};
use crate::backend::Backend;
use crate::model::llama::{Llama, STEP_TOKENS_MAX};
use std::time::Instant;

/// Times that prompts are read; the first loads what it needs and does not count.
const PROMPT_ROUNDS: usize = 4;

/// Measures a model at each batch size.
pub(super) fn models<B: Backend>(
    backend: B,
    steps: &[(Step, Step)],
    ceilings: Ceilings,
) -> Result<Vec<ModelReport>, BenchError> {
    let Some((first, _)) = steps.first() else { return Ok(Vec::new()) };
    let sequences = steps.iter().map(|(prompts, _)| prompts.sequences).max().unwrap_or(1);
    let tokens = (sequences * PROMPT).min(STEP_TOKENS_MAX);
    let limits = limits(sequences, tokens);
    let mut model = Llama::blank(backend, &first.config, first.has_head, first.format, limits)?;
    let mut reports = Vec::new();
    for (prompts, answer) in steps {
        let prompt_seconds = read(&mut model, prompts)?;
        reports.push(ModelReport::of(prompts, ceilings, Some(prompt_seconds)));
        let answer_seconds = write(&mut model, answer)?;
        reports.push(ModelReport::of(answer, ceilings, Some(answer_seconds)));
    }
    Ok(reports)
}

/// Seconds for all prompts, as many in a step as it takes.
fn read<B: Backend>(model: &mut Llama<B>, prompts: &Step) -> Result<f64, BenchError> {
    let at_once = STEP_TOKENS_MAX / PROMPT;
    let mut rounds = Vec::new();
    for _ in 0..PROMPT_ROUNDS {
        let started = Instant::now();
        for first in (0..prompts.sequences).step_by(at_once) {
            let sequences = at_once.min(prompts.sequences - first);
            batch_of(&Step { sequences, ..prompts.clone() }, |batch| model.step(batch).map(drop))?;
        }
        rounds.push(started.elapsed().as_secs_f64());
    }
    Ok(median(&mut rounds[1..]))
}

/// Seconds for a token of each sequence. The first one records the step.
fn write<B: Backend>(model: &mut Llama<B>, answer: &Step) -> Result<f64, BenchError> {
    let mut seconds = Vec::new();
    for before in PROMPT..PROMPT + ANSWER {
        let started = Instant::now();
        batch_of(&Step { before, ..answer.clone() }, |batch| model.step(batch).map(drop))?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    Ok(median(&mut seconds[1..]))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

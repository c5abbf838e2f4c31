//! Sequences that go on for some steps, and how far two backends agree on them.

use super::{Llama, StepError};
use crate::backend::batch::{BLOCK_TOKENS, Batch, SampleRow, SequenceSpan};
use crate::backend::sampling::SampleParams;
use crate::backend::{Backend, StepLimits};
use crate::model::llama::ModelLimits;

/// Tokens of the lanes' prompts: the first alone in a block, over several, and up to where contexts are cut in parts.
const PROMPTS: [usize; 4] = [9, 30, 117, 58];

/// What a model computes for some sequences, each with a prompt of its own: in the first step all prompts, then a token of
/// each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Course {
    /// `(steps, lanes)`: the likeliest tokens.
    pub tokens: Vec<Vec<u32>>,
    /// `(steps, lanes * vocab)`.
    pub logits: Vec<Vec<f32>>,
}

/// How far a course is from another one of the same tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// The root mean square of the logits' differences, over that of the other's logits.
    pub error: f64,
    /// Tokens.
    pub tokens: usize,
    /// Those that are the same.
    pub same: usize,
    /// Where they are not, how far apart the other's logits of the two are at most, over the same.
    pub gap: f64,
}

/// The limits of a model that runs courses of so many lanes and steps.
pub fn limits(lanes: usize, steps: usize) -> ModelLimits {
    let tokens = (0..lanes).map(prompt_tokens).sum();
    let step = StepLimits { tokens, sequences: lanes, context: lane_blocks(steps) * BLOCK_TOKENS };
    ModelLimits { blocks: lanes * lane_blocks(steps), step }
}

fn prompt_tokens(lane: usize) -> usize {
    PROMPTS[lane % PROMPTS.len()]
}

fn lane_blocks(steps: usize) -> usize {
    let longest = PROMPTS.into_iter().max().unwrap_or(0) + steps;
    longest.div_ceil(BLOCK_TOKENS)
}

impl<B: Backend> Llama<B> {
    /// Runs a course. After its prompt a lane goes on with its tokens of the other course, or where there is none with its
    /// own likeliest. A lane's prompt does not depend on how many there are.
    pub fn course(
        &mut self,
        lanes: usize,
        steps: usize,
        other: Option<&Course>,
    ) -> Result<Course, StepError> {
        let vocab = self.config().vocab;
        let token = |lane: usize, place: usize| (lane * 7919 + place * place * 31 + place * 17) % vocab;
        let prompt =
            |lane: usize| (0..prompt_tokens(lane)).map(|place| token(lane, place) as u32).collect::<Vec<_>>();
        let blocks: Vec<u32> = (0..(lanes * lane_blocks(steps)) as u32).collect();
        let mut spans: Vec<_> = blocks
            .chunks_exact(lane_blocks(steps))
            .enumerate()
            .map(|(lane, blocks)| SequenceSpan { start: 0, count: prompt_tokens(lane), blocks })
            .collect();
        let mut tokens: Vec<u32> = (0..lanes).flat_map(prompt).collect();
        let mut course = Course::default();
        for step in 0..steps {
            let ends = spans.iter().scan(0, |end, span| {
                *end += span.count;
                Some(*end)
            });
            let samples: Vec<_> = ends.map(|end| greedy(end - 1)).collect();
            let batch = Batch { tokens: &tokens, sequences: &spans, samples: &samples };
            let sampled = self.step(&batch)?;
            course.logits.push(self.backend.read(&self.activations.logits, lanes)?);
            let likeliest: Vec<_> = sampled.iter().map(|sampled| sampled.token).collect();
            tokens.clone_from(other.map_or(&likeliest, |other| &other.tokens[step]));
            course.tokens.push(likeliest);
            for span in &mut spans {
                (span.start, span.count) = (span.start + span.count, 1);
            }
        }
        Ok(course)
    }
}

/// The likeliest token after a row.
fn greedy<'a>(row: usize) -> SampleRow<'a> {
    let params = SampleParams { temperature: 0.0, ..SampleParams::default() };
    SampleRow { row, params, position: 0, history: &[], mask: None }
}

impl Course {
    /// How far it is from another one, whose tokens it went on with.
    pub fn agreement(&self, other: &Self) -> Agreement {
        let pairs = || self.logits.iter().flatten().zip(other.logits.iter().flatten());
        let difference: f64 = pairs().map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
        let square: f64 = pairs().map(|(_, &b)| f64::from(b).powi(2)).sum();
        let mut agreement = Agreement { error: (difference / square).sqrt(), tokens: 0, same: 0, gap: 0.0 };
        let size = (square / pairs().count() as f64).sqrt();
        for ((tokens, others), logits) in self.tokens.iter().zip(&other.tokens).zip(&other.logits) {
            let vocab = logits.len() / tokens.len();
            for ((&token, &other), logits) in tokens.iter().zip(others).zip(logits.chunks_exact(vocab)) {
                agreement.tokens += 1;
                agreement.same += usize::from(token == other);
                let gap = f64::from(logits[other as usize]) - f64::from(logits[token as usize]);
                agreement.gap = agreement.gap.max(gap / size);
            }
        }
        agreement
    }

    /// Whether its first lanes have the bits of another course of fewer lanes.
    pub fn begins_with(&self, other: &Self) -> bool {
        let is_start = |(all, first): (&Vec<f32>, &Vec<f32>)| all.starts_with(first);
        self.logits.iter().zip(&other.logits).all(is_start)
    }
}

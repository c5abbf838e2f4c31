//! The default model on the CPU backend beside what Hugging Face transformers computes from the same file
//! (`fixtures/make_logits.py`): f32 throughout there, 8-bit activations and half-precision keys and values here.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use adlib_origin::backend::StepLimits;
use adlib_origin::backend::batch::{BLOCK_TOKENS, Batch, SampleRow, SequenceSpan};
use adlib_origin::backend::cpu::Cpu;
use adlib_origin::backend::sampling::SampleParams;
use adlib_origin::model::checkpoint::Checkpoint;
use adlib_origin::model::llama::{Llama, ModelLimits};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    columns: Vec<usize>,
    prompts: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Prompt {
    name: String,
    tokens: Vec<u32>,
    top: Vec<(usize, f64)>,
    columns: Vec<f64>,
    log_sum_exp: f64,
    greedy: Vec<u32>,
    margins: Vec<f64>,
}

/// The root mean square of the differences of log-probabilities that 8-bit activations cost, at most.
const DIFFERENCE_MAX: f64 = 0.25;
/// Cosine between the logits and the reference's, at least.
const COSINE_MIN: f64 = 0.998;
/// A choice whose margin in the reference is smaller is a near-tie: either token is right.
const NEAR_TIE: f64 = 0.6;
/// Blocks for the longest prompt and its continuation.
const BLOCKS: u32 = 128;

/// The default model's file: `ADLIB_MODEL`, else where `cargo dev` puts it.
fn default_model_path() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let path = variable("ADLIB_MODEL").unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        cache.unwrap_or_default().join("adlib/models/SmolLM2-135M-Instruct.Q4_1.gguf")
    });
    assert!(
        path.is_file(),
        "the default model is not at {}: run `cargo dev test`, which fetches it",
        path.display()
    );
    path
}

/// Logits after the last of the tokens, the first `start` of which are cached.
fn last_logits(model: &mut Llama<Cpu>, tokens: &[u32], start: usize) -> Vec<f64> {
    let blocks: Vec<u32> = (0..BLOCKS).rev().collect();
    let span = SequenceSpan { start, count: tokens.len() - start, blocks: &blocks };
    let params = SampleParams::default();
    let last = SampleRow { row: span.count - 1, params, position: 0, history: &[], mask: None };
    let batch = Batch { tokens: &tokens[start..], sequences: &[span], samples: &[last] };
    let logits = model.logits(&batch).expect("a valid batch");
    logits.into_iter().map(f64::from).collect()
}

fn best(logits: &[f64]) -> usize {
    (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).expect("some logits")
}

fn log_sum_exp(logits: &[f64]) -> f64 {
    let max = logits[best(logits)];
    max + logits.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn logits_of_the_default_model_agree_with_transformers() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/logits.json"))
        .expect("the fixture is as its script writes it");
    let checkpoint = Checkpoint::open(default_model_path(), &[] as &[&str]).expect("the default model opens");
    let cpu = Cpu::new(NonZeroUsize::new(2).expect("two"));
    let context = BLOCKS as usize * BLOCK_TOKENS;
    let step = StepLimits { tokens: context, sequences: 1, context };
    let limits = ModelLimits { blocks: BLOCKS as usize, step };
    let mut model = Llama::load(cpu, &checkpoint, limits).expect("the default model loads");
    let mut choices = (0, 0, 0);
    for prompt in &fixture.prompts {
        assert!(prompt.tokens.len() + prompt.greedy.len() <= BLOCKS as usize * BLOCK_TOKENS);
        let logits = last_logits(&mut model, &prompt.tokens, 0);
        let ids = || prompt.top.iter().map(|top| top.0).chain(fixture.columns.iter().copied());
        let wanted: Vec<_> =
            prompt.top.iter().map(|top| top.1).chain(prompt.columns.iter().copied()).collect();
        let found: Vec<_> = ids().map(|id| logits[id]).collect();
        let cosine = cosine(&found, &wanted);
        let shift = log_sum_exp(&logits) - prompt.log_sum_exp;
        let squares: f64 = found.iter().zip(&wanted).map(|(f, w)| (f - w - shift).powi(2)).sum();
        let difference = (squares / wanted.len() as f64).sqrt();
        println!("{}: cosine {cosine:.6}, difference {difference:.4}", prompt.name);
        assert!(cosine > COSINE_MIN, "{}: cosine {cosine}", prompt.name);
        assert!(difference < DIFFERENCE_MAX, "{}: difference {difference}", prompt.name);

        // Each choice of the reference's greedy continuation, with the reference's own tokens before it.
        let mut tokens = prompt.tokens.clone();
        let mut chosen = best(&logits);
        for (&wanted, &margin) in prompt.greedy.iter().zip(&prompt.margins) {
            choices.0 += 1;
            choices.1 += usize::from(chosen == wanted as usize);
            choices.2 += usize::from(margin < NEAR_TIE);
            let agrees = chosen == wanted as usize || margin < NEAR_TIE;
            assert!(agrees, "{}: {chosen} where {wanted} leads by {margin}", prompt.name);
            let start = tokens.len();
            tokens.push(wanted);
            chosen = best(&last_logits(&mut model, &tokens, start));
        }
    }
    let (all, equal, near) = choices;
    println!("{equal} of {all} choices are the reference's; {near} are near-ties");
    assert!(equal * 100 >= all * 95, "{equal} of {all} choices are the reference's");
}

//! The graph on the CPU backend, with every instruction set of the machine.

mod simulated;

use super::*;
use crate::backend::batch::{SampleRow, SequenceSpan};
use crate::backend::cpu::{Cpu, Isa};
use crate::backend::sampling::SampleParams;
use crate::model::config::{Rope, RopeScaling};
use std::num::NonZeroUsize;

fn config(heads: usize, kv_heads: usize, head_dim: usize) -> ModelConfig {
    ModelConfig {
        layers: 2,
        dim: 96,
        heads,
        kv_heads,
        head_dim,
        hidden: 160,
        vocab: 203,
        context_max: 512,
        norm_epsilon: 1e-5,
        rope: Rope { theta: 10_000.0, scaling: RopeScaling::None },
    }
}

/// Whatever the cases ask for: a step may sample from each of its rows.
const LIMITS: ModelLimits =
    ModelLimits { blocks: 80, step: StepLimits { tokens: 600, sequences: 600, context: 512 } };

fn cpu(isa: Isa, threads: usize) -> Cpu {
    Cpu::with_isa(isa, NonZeroUsize::new(threads).expect("some threads"))
}

fn model(isa: Isa, threads: usize, config: &ModelConfig, format: WeightFormat) -> Llama<Cpu> {
    Llama::from_random(cpu(isa, threads), config.clone(), 1, format, LIMITS).expect("a model")
}

fn text(seed: u32, count: usize) -> Vec<u32> {
    (0..count as u32).map(|i| (seed * 7919 + i * i * 31 + i * 17) % 203).collect()
}

/// Part of a sequence for one step: its tokens so far, how many are cached, its blocks; wants logits of all its rows.
struct Part<'a> {
    tokens: &'a [u32],
    start: usize,
    blocks: &'a [u32],
}

/// Runs the parts as one batch; logits of every row, part by part.
fn run<B: Backend>(model: &mut Llama<B>, parts: &[Part<'_>]) -> Vec<Vec<Vec<f32>>> {
    let tokens: Vec<u32> = parts.iter().flat_map(|part| &part.tokens[part.start..]).copied().collect();
    let span = |part: &Part<'_>| part.tokens.len() - part.start;
    let samples: Vec<_> = (0..tokens.len()).map(sample).collect();
    let sequences: Vec<_> = parts
        .iter()
        .map(|part| SequenceSpan { start: part.start, count: span(part), blocks: part.blocks_slice() })
        .collect();
    let batch = Batch { tokens: &tokens, sequences: &sequences, samples: &samples };
    let logits = model.logits(&batch).expect("a valid batch");
    let mut rows = logits.chunks_exact(model.config().vocab).map(<[f32]>::to_vec);
    parts.iter().map(|part| rows.by_ref().take(span(part)).collect()).collect()
}

impl<'a> Part<'a> {
    fn blocks_slice(&self) -> &'a [u32] {
        self.blocks
    }
}

fn sample<'a>(row: usize) -> SampleRow<'a> {
    SampleRow { row, params: SampleParams::default(), position: 0, history: &[], mask: None }
}

/// Logits of one sequence, its prompt cut into chunks.
fn alone<B: Backend>(model: &mut Llama<B>, tokens: &[u32], chunk: usize, blocks: &[u32]) -> Vec<Vec<f32>> {
    let mut rows = Vec::new();
    for start in (0..tokens.len()).step_by(chunk) {
        let end = (start + chunk).min(tokens.len());
        rows.extend(run(model, &[Part { tokens: &tokens[..end], start, blocks }]).remove(0));
    }
    rows
}

/// Root mean square of the difference over that of the reference.
fn error(found: &[Vec<f32>], wanted: &[Vec<f64>]) -> f64 {
    let pairs = || found.iter().flatten().zip(wanted.iter().flatten());
    let difference: f64 = pairs().map(|(&found, wanted)| (f64::from(found) - wanted).powi(2)).sum();
    (difference / pairs().map(|(_, wanted)| wanted * wanted).sum::<f64>()).sqrt()
}

/// Half-precision weights leave only the rounding of keys and values; quantised ones add that of the activations.
fn tolerance(format: WeightFormat) -> f64 {
    match format {
        WeightFormat::F16 | WeightFormat::Bf16 => 1e-3,
        WeightFormat::Int8 | WeightFormat::Int4 => 2e-2,
    }
}

/// The tensors of a random model, to be run on a backend and by the reference.
struct Weights {
    config: ModelConfig,
    embedding: Matrix,
    layers: Vec<LayerTensors>,
    final_norm: Vec<f32>,
}

impl Weights {
    fn random(config: &ModelConfig, format: WeightFormat, change: impl Fn(&mut LayerTensors)) -> Self {
        let layer = |index| {
            let mut layer = random::layer(config, 1, format, index);
            change(&mut layer);
            layer
        };
        Self {
            config: config.clone(),
            embedding: random::embedding(config, 1, format),
            layers: (0..config.layers).map(layer).collect(),
            final_norm: vec![1.0; config.dim],
        }
    }

    /// The reference's logits after each of the tokens.
    fn reference(&self, tokens: &[u32]) -> Vec<Vec<f64>> {
        reference::logits(&self.config, &self.embedding, &self.layers, &self.final_norm, tokens)
    }

    fn on<B: Backend>(&self, backend: B) -> Llama<B> {
        let tensors = ModelTensors {
            embedding: self.embedding.clone(),
            layer: |index: usize| Ok::<_, ModelError>(self.layers[index].clone()),
            final_norm: self.final_norm.clone(),
            head: None,
        };
        Llama::from_tensors(backend, self.config.clone(), tensors, LIMITS).expect("fits")
    }
}

/// Compares a model with the reference, on every instruction set.
fn agrees(config: &ModelConfig, format: WeightFormat, tokens: usize, change: impl Fn(&mut LayerTensors)) {
    let tokens = text(3, tokens);
    let weights = Weights::random(config, format, change);
    let wanted = weights.reference(&tokens);
    for isa in Isa::all() {
        let mut model = weights.on(cpu(isa, 2));
        let blocks: Vec<u32> = (0..32).map(|i| (i * 37 + 5) % 80).collect();
        let found = alone(&mut model, &tokens, 1000, &blocks);
        let error = error(&found, &wanted);
        assert!(error < tolerance(format), "{isa}, {format:?}, {config:?}: error {error}");
    }
}

#[test]
fn agrees_with_the_reference_in_every_format_and_head_shape() {
    for format in WeightFormat::ALL {
        for (heads, kv_heads, head_dim) in [(3, 3, 32), (6, 2, 16), (8, 2, 32), (8, 1, 16), (9, 3, 64)] {
            agrees(&config(heads, kv_heads, head_dim), format, 19, |_| {});
        }
    }
    for (heads, head_dim) in [(1, 96), (3, 128)] {
        agrees(&config(heads, 1, head_dim), WeightFormat::F16, 40, |_| {});
    }
}

#[test]
fn biases_and_head_norms_agree_with_the_reference() {
    let ramp = |width: usize| (0..width).map(|i| (i % 7) as f32 / 5.0 - 0.4).collect::<Vec<_>>();
    agrees(&config(6, 2, 32), WeightFormat::F16, 20, |layer| {
        layer.qkv_bias = Some([ramp(192), ramp(64), ramp(64)]);
    });
    agrees(&config(6, 2, 32), WeightFormat::F16, 20, |layer| {
        layer.qk_norm = Some([ramp(32), ramp(32).into_iter().map(|x| x + 1.0).collect()]);
        layer.attention_norm = ramp(96);
    });
}

#[test]
fn every_rope_scaling_agrees_with_the_reference() {
    let llama3 = RopeScaling::Llama3 {
        factor: 8.0,
        low_frequency_factor: 1.0,
        high_frequency_factor: 4.0,
        original_context: 64,
    };
    let divisors = RopeScaling::Divisors((0..16).map(|i| 1.0 + i as f32).collect());
    for scaling in [RopeScaling::Linear { factor: 4.0 }, llama3, divisors] {
        let mut config = config(3, 1, 32);
        config.rope.scaling = scaling;
        agrees(&config, WeightFormat::F16, 40, |_| {});
    }
}

#[test]
fn a_sequence_depends_on_nothing_else_in_the_batch() {
    for isa in Isa::all() {
        for format in WeightFormat::ALL {
            let config = config(6, 2, 32);
            let tokens: Vec<_> = (0..8).map(|i| text(i, 70 + 9 * i as usize)).collect();
            let blocks: Vec<Vec<u32>> = (0..8).map(|i| (0..9).map(|b| (b * 8 + i) % 80).collect()).collect();
            let mut one = model(isa, 1, &config, format);
            let wanted: Vec<_> = (0..8).map(|i| alone(&mut one, &tokens[i], 1000, &blocks[i])).collect();
            for threads in [1, 2, 3] {
                let mut model = model(isa, threads, &config, format);
                for chunk in [1, 7, 64] {
                    assert!(
                        alone(&mut model, &tokens[5], chunk, &blocks[5]) == wanted[5],
                        "chunks of {chunk}"
                    );
                }
                for order in [[0, 1, 2, 3, 4, 5, 6, 7], [6, 2, 7, 0, 5, 1, 4, 3]] {
                    // Half of each prompt, then decodes and prefill chunks mixed.
                    for ends in [[30; 8], [31, 70, 31, 97, 31, 31, 31, 133]] {
                        let starts = if ends[0] == 30 { 0 } else { 30 };
                        let part = |i: usize| Part {
                            tokens: &tokens[i][..ends[i]],
                            start: starts,
                            blocks: &blocks[i],
                        };
                        let parts: Vec<_> = order.iter().map(|&i| part(i)).collect();
                        for (&i, rows) in order.iter().zip(run(&mut model, &parts)) {
                            assert!(
                                rows == wanted[i][starts..ends[i]],
                                "sequence {i} in the order {order:?}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_copied_block_serves_another_sequence() {
    let config = config(4, 2, 16);
    let mut model = model(Isa::best(), 2, &config, WeightFormat::Int8);
    let tokens = text(4, 40);
    let wanted = alone(&mut model, &tokens, 100, &[3, 9, 20]);
    model.copy_block(9, 77).expect("two blocks");
    let rows = run(&mut model, &[Part { tokens: &tokens, start: 32, blocks: &[3, 77, 21] }]).remove(0);
    assert_eq!(rows, wanted[32..]);
    assert_eq!(model.copy_block(0, 80), Err(StepError::Block { block: 80, blocks: 80 }));
}

#[test]
fn a_step_samples_the_same_in_any_company() {
    let config = config(4, 2, 16);
    let mut model = model(Isa::best(), 2, &config, WeightFormat::Int4);
    let params = SampleParams { temperature: 0.9, top_p: 0.9, seed: 5, stream: 1, ..SampleParams::default() };
    let mut step = |tokens: &[u32], sequences: &[SequenceSpan<'_>], rows: &[usize]| {
        let samples: Vec<_> =
            rows.iter().map(|&row| SampleRow { params, position: 9, ..sample(row) }).collect();
        model.step(&Batch { tokens, sequences, samples: &samples }).expect("a valid batch")
    };
    let (first, second) = (text(1, 9), text(2, 5));
    let span = |count, blocks| SequenceSpan { start: 0, count, blocks };
    let wanted = step(&first, &[span(9, &[0])], &[8]);
    let both = [second, first].concat();
    let found = step(&both, &[span(5, &[1]), span(9, &[2])], &[4, 13]);
    assert_eq!(found[1], wanted[0]);
    assert!(found.iter().all(|sampled| sampled.log_probability < 0.0));
}

#[test]
fn batches_at_the_limits_run_and_one_past_is_refused() {
    let config = config(2, 1, 16);
    let mut model = model(Isa::best(), 2, &config, WeightFormat::Int8);
    let (vocab, blocks) = (config.vocab as u32, (0..32).collect::<Vec<u32>>());
    let mut refused = |tokens: &[u32], start, count, blocks: &[u32], samples: &[SampleRow<'_>]| {
        model.logits(&Batch { tokens, sequences: &[SequenceSpan { start, count, blocks }], samples }).err()
    };
    assert_eq!(refused(&[vocab - 1], 511, 1, &blocks, &[]), None);
    let context = StepError::Context { sequence: 0, end: 513, max: 512 };
    assert_eq!(refused(&[0], 512, 1, &blocks, &[]), Some(context));
    assert_eq!(refused(&[vocab], 0, 1, &blocks, &[]), Some(StepError::Token { token: vocab, vocab: 203 }));
    assert_eq!(refused(&[0; 16], 0, 16, &[79], &[]), None);
    let table = StepError::BlockTable { sequence: 0, needed: 2, blocks: 1 };
    assert_eq!(refused(&[0; 17], 0, 17, &[79], &[]), Some(table));
    assert_eq!(refused(&[0], 0, 1, &[80], &[]), Some(StepError::Block { block: 80, blocks: 80 }));
    assert_eq!(refused(&[], 0, 0, &[0], &[]), Some(StepError::NoTokens { sequence: 0 }));
    assert_eq!(refused(&[0, 0], 0, 1, &[0], &[]), Some(StepError::Coverage { covered: 1, tokens: 2 }));
    assert_eq!(refused(&[0], 0, 1, &[0], &[sample(1)]), Some(StepError::SampleRow { row: 1, tokens: 1 }));
    let many = |what| Some(StepError::TooMany { what, count: 601, max: 600 });
    assert_eq!(refused(&vec![0; 601], 0, 1, &[0], &[]), many("tokens"));
    assert_eq!(refused(&[0], 0, 1, &[0], &vec![sample(0); 600]), None);
    assert_eq!(refused(&[0], 0, 1, &[0], &vec![sample(0); 601]), many("rows to sample from"));
    let masked = |mask| SampleRow { mask: Some(mask), ..sample(0) };
    // Bit 203 is past the vocabulary of 203 tokens.
    let past = [0, 0, 0, 0, 0, 0, 1 << 11];
    let last = [0, 0, 0, 0, 0, 0, 1 << 10];
    let none = StepError::Mask { sample: 0, words: 7 };
    assert_eq!(refused(&[0], 0, 1, &[0], &[masked(&past)]), Some(none));
    assert_eq!(refused(&[0], 0, 1, &[0], &[masked(&last)]), None);
    let hot = SampleParams { temperature: f32::INFINITY, ..SampleParams::default() };
    let hot = SampleRow { params: hot, ..sample(0) };
    assert!(matches!(refused(&[0], 0, 1, &[0], &[hot]), Some(StepError::Params { .. })));
}

#[test]
fn a_step_of_the_most_tokens_runs() {
    let mut config = config(2, 1, 16);
    (config.layers, config.context_max) = (1, STEP_TOKENS_MAX);
    let step = StepLimits { tokens: STEP_TOKENS_MAX, sequences: 1, context: STEP_TOKENS_MAX };
    let limits = ModelLimits { blocks: STEP_TOKENS_MAX / BLOCK_TOKENS, step };
    let backend = cpu(Isa::best(), 2);
    let mut model = Llama::from_random(backend, config, 1, WeightFormat::Int8, limits).expect("a model");
    let blocks: Vec<_> = (0..limits.blocks as u32).collect();
    let span = SequenceSpan { start: 0, count: STEP_TOKENS_MAX, blocks: &blocks };
    let tokens = text(1, STEP_TOKENS_MAX);
    let batch = Batch { tokens: &tokens, sequences: &[span], samples: &[sample(STEP_TOKENS_MAX - 1)] };
    assert!(model.logits(&batch).expect("a valid batch").iter().all(|logit| logit.is_finite()));
}

#[test]
fn a_broken_model_is_refused_by_name() {
    let refused = |change: fn(&mut ModelConfig)| {
        let mut config = config(6, 2, 32);
        change(&mut config);
        match Llama::from_random(cpu(Isa::best(), 1), config, 1, WeightFormat::F16, LIMITS) {
            Ok(_) => String::from("no error"),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(refused(|_| {}), "no error");
    assert_eq!(refused(|c| c.kv_heads = 4), "6 query heads cannot share 4 key and value heads evenly");
    assert_eq!(refused(|c| c.layers = 0), "the number of layers is 0, which is not within 1 to 1024");
    assert_eq!(
        refused(|c| c.dim = 100),
        "a matrix's number of inputs is 100, which is not a positive multiple of 32"
    );
    assert_eq!(
        refused(|c| c.head_dim = 24),
        "a matrix's number of inputs is 144, which is not a positive multiple of 32"
    );
    assert_eq!(
        refused(|c| c.rope.scaling = RopeScaling::Divisors(vec![1.0; 15])),
        "15 rotary frequency divisors for a head of 32"
    );
    assert_eq!(
        refused(|c| c.rope.theta = f32::NAN),
        "the rope's base is NaN, which is not a finite positive number"
    );
}

//! The graph on the CUDA backend, its device simulated.

use super::*;
use crate::backend::BackendError;
use crate::backend::cuda::{Checks, Cuda, KernelMutation, Simulator};
use crate::backend::sampling::Sampler;

/// A step's products with half-precision activations round at 2⁻¹¹, with bfloat16 at 2⁻⁸.
fn tolerance(format: WeightFormat) -> f64 {
    if format == WeightFormat::Bf16 { 1.5e-2 } else { 2e-3 }
}

fn simulated(checks: Checks, config: &ModelConfig, format: WeightFormat) -> Llama<Cuda<Simulator>> {
    let backend = Cuda::new(Simulator::new(checks));
    Llama::from_random(backend, config.clone(), 1, format, LIMITS).expect("a model")
}

/// Compares a model with the reference: a prompt in two chunks, then token by token.
fn agrees(checks: Checks, config: &ModelConfig, format: WeightFormat, change: impl Fn(&mut LayerTensors)) {
    let tokens = text(3, 21);
    let weights = Weights::random(config, format, change);
    let wanted = weights.reference(&tokens);
    let mut model = weights.on(Cuda::new(Simulator::new(checks)));
    let mut found = Vec::new();
    for (start, end) in [(0, 11), (11, 18), (18, 19), (19, 20), (20, 21)] {
        found.extend(run(&mut model, &[Part { tokens: &tokens[..end], start, blocks: &[5, 42] }]).remove(0));
    }
    let error = error(&found, &wanted);
    assert!(error < tolerance(format), "{checks:?}, {format:?}, {config:?}: error {error}");
}

#[test]
fn agrees_with_the_reference_in_every_format_and_head_shape() {
    for (format, (heads, kv_heads, head_dim)) in
        WeightFormat::ALL.into_iter().zip([(3, 3, 32), (6, 2, 32), (8, 1, 32), (9, 3, 64)])
    {
        agrees(Checks::Plain, &config(heads, kv_heads, head_dim), format, |_| {});
    }
    for (heads, head_dim) in [(2, 80), (1, 96), (3, 128), (1, 256)] {
        agrees(Checks::Plain, &config(heads, 1, head_dim), WeightFormat::F16, |_| {});
    }
}

#[test]
fn biases_and_head_norms_agree_with_the_reference() {
    let ramp = |width: usize| (0..width).map(|i| (i % 7) as f32 / 5.0 - 0.4).collect::<Vec<_>>();
    agrees(Checks::Plain, &config(6, 2, 32), WeightFormat::F16, |layer| {
        layer.qkv_bias = Some([ramp(192), ramp(64), ramp(64)]);
        layer.qk_norm = Some([ramp(32), ramp(32).into_iter().map(|x| x + 1.0).collect()]);
        layer.attention_norm = ramp(96);
    });
}

#[test]
fn matrices_of_several_formats_work_together() {
    let config = config(3, 1, 32);
    agrees(Checks::Plain, &config, WeightFormat::Bf16, |layer| {
        layer.key = Matrix::random(32, 96, 5, WeightFormat::Int4);
        layer.up = Matrix::random(160, 96, 6, WeightFormat::Int8);
        layer.down = Matrix::random(96, 160, 7, WeightFormat::F16);
    });
}

#[test]
fn a_model_runs_clean_under_every_sanitizer() {
    for (checks, format) in
        [Checks::Memory, Checks::Races].into_iter().zip([WeightFormat::Int4, WeightFormat::Int8])
    {
        agrees(checks, &config(3, 1, 64), format, |_| {});
    }
}

#[test]
fn a_sequence_depends_on_nothing_else_in_the_batch() {
    for format in WeightFormat::ALL {
        let config = config(6, 2, 32);
        let tokens: Vec<_> = (0..3).map(|i| text(i, 70 + 40 * i as usize)).collect();
        let blocks: Vec<Vec<u32>> = (0..3).map(|i| (0..10).map(|b| (b * 3 + i) % 80).collect()).collect();
        let mut model = simulated(Checks::Plain, &config, format);
        let wanted: Vec<_> = (0..3).map(|i| alone(&mut model, &tokens[i], 1000, &blocks[i])).collect();
        // Few rows, many rows, and a context that is split at its end.
        for chunk in [7, 33] {
            assert!(
                alone(&mut model, &tokens[2], chunk, &blocks[2]) == wanted[2],
                "{format:?}, chunks of {chunk}"
            );
        }
        for ends in [[30, 40, 145], [70, 41, 146]] {
            let starts = if ends[0] == 30 { [0, 0, 100] } else { [30, 40, 145] };
            let part =
                |i: usize| Part { tokens: &tokens[i][..ends[i]], start: starts[i], blocks: &blocks[i] };
            let parts: Vec<_> = [2, 0, 1].map(part).into();
            for (i, rows) in [2, 0, 1].into_iter().zip(run(&mut model, &parts)) {
                assert!(rows == wanted[i][starts[i]..ends[i]], "{format:?}, sequence {i}");
            }
        }
    }
}

/// The most likely tokens after a prompt, one after another.
fn continuation<B: Backend>(model: &mut Llama<B>, params: SampleParams) -> Vec<u32> {
    let mut tokens = text(2, 6);
    let mut start = 0;
    for position in 0..16 {
        let span = SequenceSpan { start, count: tokens.len() - start, blocks: &[3, 60] };
        let last = SampleRow { params, position, history: &tokens[6..], ..sample(span.count - 1) };
        let batch = Batch { tokens: &tokens[start..], sequences: &[span], samples: &[last] };
        let sampled = model.step(&batch).expect("a valid batch")[0];
        start = tokens.len();
        tokens.push(sampled.token);
    }
    tokens
}

#[test]
fn the_most_likely_tokens_are_those_of_the_cpu() {
    let params = SampleParams { temperature: 0.0, repetition_penalty: 1.2, ..SampleParams::default() };
    let config = config(6, 2, 32);
    let found = continuation(&mut simulated(Checks::Plain, &config, WeightFormat::F16), params);
    assert_eq!(found, continuation(&mut model(Isa::best(), 2, &config, WeightFormat::F16), params));
    assert!(found.iter().collect::<std::collections::BTreeSet<_>>().len() > 8, "{found:?}");
}

#[test]
fn tokens_are_drawn_as_the_sampler_draws_them_from_the_same_logits() {
    let config = config(6, 2, 32);
    let mut model = simulated(Checks::Plain, &config, WeightFormat::F16);
    let tokens = text(2, 9);
    let span = SequenceSpan { start: 0, count: 9, blocks: &[3] };
    let exponentials = |x: &[f32], shift: f32, scale: f32, to: &mut [f32]| {
        to.iter_mut().zip(x).for_each(|(to, x)| *to = ((x - shift) * scale).exp());
    };
    for seed in 0..20 {
        let params = SampleParams { temperature: 0.8, top_p: 0.95, seed, ..SampleParams::default() };
        let rows = [3, 8].map(|row| SampleRow { params, position: seed, ..sample(row) });
        let batch = Batch { tokens: &tokens, sequences: &[span], samples: &rows };
        let found = model.step(&batch).expect("a valid batch");
        let logits = model.logits(&batch).expect("a valid batch");
        for ((found, logits), row) in found.iter().zip(logits.chunks_exact(config.vocab)).zip(&rows) {
            let wanted = Sampler::default().sample(logits, row, &exponentials);
            assert_eq!(found.token, wanted.token, "seed {seed}");
            assert!((found.log_probability - wanted.log_probability).abs() < 1e-5);
        }
    }
}

/// A step of one new token for each of some sequences, with one sample each, the first with this many.
fn decode(
    model: &mut Llama<Cuda<Simulator>>,
    starts: &[usize],
    first_samples: usize,
) -> (Vec<Sampled>, Vec<f32>) {
    let blocks: Vec<Vec<u32>> =
        (0..starts.len() as u32).map(|i| (0..18).map(|b| (b * 4 + i) % 80).collect()).collect();
    let tokens: Vec<u32> = starts.iter().map(|&start| (start * 31 + 7) as u32 % 203).collect();
    let sequences: Vec<_> =
        starts.iter().zip(&blocks).map(|(&start, blocks)| SequenceSpan { start, count: 1, blocks }).collect();
    let masks = [[0x5555_5555; 7], [!0; 7]];
    let params = SampleParams { temperature: 0.8, top_p: 0.9, repetition_penalty: 1.2, ..Default::default() };
    let rows = (0..starts.len()).flat_map(|row| vec![row; if row == 0 { first_samples } else { 1 }]);
    let samples: Vec<_> = rows
        .enumerate()
        .map(|(i, row)| SampleRow {
            row,
            params: SampleParams { stream: i as u64, ..params },
            position: starts[row] as u64,
            history: &tokens[..row],
            mask: (i % 3 > 0).then_some(&masks[i % 2]),
        })
        .collect();
    let batch = Batch { tokens: &tokens, sequences: &sequences, samples: &samples };
    (model.step(&batch).expect("a valid batch"), model.logits(&batch).expect("a valid batch"))
}

#[test]
fn a_step_that_is_padded_and_replayed_has_the_bits_of_one_that_is_not() {
    let config = config(6, 2, 32);
    let backend = |checks| Cuda::new(Simulator::new(checks));
    for checks in [Checks::Plain, Checks::Memory, Checks::Races] {
        let model = |backend| {
            Llama::from_random(backend, config.clone(), 1, WeightFormat::Int8, LIMITS).expect("a model")
        };
        let mut recorded = model(backend(checks));
        let mut plain = model(backend(Checks::Plain).without_graphs());
        let steps = [
            // A context alone, then in company that needs padding, then split.
            (&[0][..], 1),
            (&[1, 0, 0], 1),
            (&[2, 1, 1], 1),
            (&[3], 1),
            (&[140, 3], 1),
            (&[141, 270, 20], 1),
            // More samples than sequences, in a bucket that is recorded already.
            (&[4], 4),
            (&[5, 4], 3),
            (&[142, 6, 5, 4], 1),
        ];
        for (starts, first_samples) in steps {
            let found = decode(&mut recorded, starts, first_samples);
            assert_eq!(found, decode(&mut plain, starts, first_samples), "{checks:?}, {starts:?}");
        }
        // Of 1 and 4 lanes with one split, of 2 lanes with two, of 4 with two and four.
        assert_eq!((recorded.backend.recorded(), plain.backend.recorded()), (5, 0));
    }
}

#[test]
fn no_step_within_the_limits_allocates() {
    let device = Simulator::new(Checks::Plain);
    let config = config(6, 2, 32);
    let step = StepLimits { tokens: 40, sequences: 9, context: 288 };
    let limits = ModelLimits { blocks: 80, step };
    let backend = Cuda::new(device.clone());
    let mut model = Llama::from_random(backend, config, 1, WeightFormat::F16, limits).expect("a model");
    let before = device.used();
    let blocks: Vec<u32> = (0..18).collect();
    let history: Vec<u32> = (0..287).map(|i| i % 203).collect();
    let params = SampleParams { frequency_penalty: 0.5, ..SampleParams::default() };
    let mask = [!0; 7];
    // The longest prompt's end, a mixed step, and the widest decode step, each sampling as much as can be.
    for counts in [&[40][..], &[31, 1, 1, 1, 1, 1, 1, 1, 1], &[1; 9], &[1; 9]] {
        let sequences: Vec<_> =
            counts.iter().map(|&count| SequenceSpan { start: 288 - count, count, blocks: &blocks }).collect();
        let masks = vec![mask; 9];
        let samples: Vec<_> = masks
            .iter()
            .map(|mask| SampleRow { params, history: &history, mask: Some(mask), ..sample(0) })
            .collect();
        let tokens = text(1, counts.iter().sum());
        model.step(&Batch { tokens: &tokens, sequences: &sequences, samples: &samples }).expect("a step");
    }
    assert_eq!((device.used(), model.backend.recorded()), (before, 1));
}

#[test]
fn a_recorded_step_notices_that_its_memory_has_moved() {
    let mut model = simulated(Checks::Plain, &config(3, 1, 32), WeightFormat::F16);
    let span = SequenceSpan { start: 0, count: 1, blocks: &[0] };
    let batch = Batch { tokens: &[1], sequences: &[span], samples: &[sample(0)] };
    for _ in 0..2 {
        model.step(&batch).expect("a valid batch");
    }
    model.backend.move_attended();
    let Err(StepError::Backend(BackendError::Device { reason })) = model.step(&batch) else {
        panic!("the step fails");
    };
    for part in ["replaying launches", "is given the address of memory that is not alive"] {
        assert!(reason.contains(part), "{reason}");
    }
}

#[test]
fn a_copied_block_serves_another_sequence() {
    let config = config(4, 2, 32);
    let mut model = simulated(Checks::Plain, &config, WeightFormat::Int8);
    let tokens = text(4, 40);
    let wanted = alone(&mut model, &tokens, 100, &[3, 9, 20]);
    model.copy_block(9, 77).expect("two blocks");
    let rows = run(&mut model, &[Part { tokens: &tokens, start: 32, blocks: &[3, 77, 21] }]).remove(0);
    assert_eq!(rows, wanted[32..]);
}

#[test]
fn a_device_that_fails_ends_the_step_with_its_reason() {
    let text = "REGISTER(rotate, ROTATE_THREADS)";
    let mutation = KernelMutation { file: "rotate.cu", text, instead: "REGISTER(rotate, 32)" };
    let backend = Cuda::new(Simulator::mutated(Checks::Plain, &mutation));
    let mut model =
        Llama::from_random(backend, config(3, 1, 32), 1, WeightFormat::F16, LIMITS).expect("a model");
    let span = SequenceSpan { start: 0, count: 2, blocks: &[0] };
    let batch = Batch { tokens: &[1, 2], sequences: &[span], samples: &[sample(1)] };
    let Err(StepError::Backend(BackendError::Device { reason })) = model.step(&batch) else {
        panic!("the step fails");
    };
    for part in ["simulator", "launching rotate on [2, 1, 1] blocks of 128", "it is built for up to 32"] {
        assert!(reason.contains(part), "{reason}");
    }
}

//! Sampling, beside the sampler in host memory: the same token and the same probability, bit by bit.

use super::arrays::{put, wave};
use super::{Case, CaseError, ensure};
use crate::backend::Backend;
use crate::backend::batch::{Batch, SampleRow};
use crate::backend::cpu::{Exponentials, Isa};
use crate::backend::cuda::Cuda;
use crate::backend::cuda::driver::Driver;
use crate::backend::cuda::room::Buffer;
use crate::backend::sampling::{SampleParams, Sampled, Sampler};

pub(super) fn cases<D: Driver>() -> Vec<Case<D>> {
    vec![
        Case { subject: "sample", promise: "tokens are those of the sampler in host memory", run: tokens },
        Case {
            subject: "sample",
            promise: "where no token is possible it is the first, with no probability",
            run: impossible,
        },
    ]
}

/// Logits between -8 and 8, some equal, one minus infinity.
fn logits(seed: usize, vocab: usize) -> Vec<f32> {
    let mut logits: Vec<_> = wave(seed, vocab).iter().map(|x| (x * 64.0).round() / 8.0).collect();
    logits[vocab / 2] = f32::NEG_INFINITY;
    logits
}

/// Every filter alone and some together.
fn params() -> Vec<SampleParams> {
    let plain = SampleParams::default();
    vec![
        plain,
        SampleParams { temperature: 0.0, ..plain },
        SampleParams { temperature: 0.7, ..plain },
        SampleParams { top_k: 1, ..plain },
        SampleParams { top_k: 40, temperature: 1.7, ..plain },
        SampleParams { top_p: 0.9, ..plain },
        // Reached only by tokens far below the first cutoff.
        SampleParams { top_p: 0.999_999, temperature: 0.4, ..plain },
        SampleParams { top_p: 0.0, ..plain },
        SampleParams { min_p: 0.1, ..plain },
        SampleParams { min_p: 1.0, ..plain },
        SampleParams { top_k: 50, top_p: 0.8, min_p: 0.05, temperature: 0.9, ..plain },
        SampleParams { top_k: u32::MAX, ..plain },
        SampleParams { repetition_penalty: 1.3, temperature: 0.0, ..plain },
        SampleParams { frequency_penalty: 0.4, presence_penalty: 0.3, repetition_penalty: 0.8, ..plain },
        SampleParams { repetition_penalty: 1.1, top_p: 0.95, temperature: 0.6, ..plain },
    ]
}

/// Samples from rows of logits.
fn sample<D: Driver>(
    device: &D,
    logits: &[f32],
    vocab: usize,
    samples: &[SampleRow<'_>],
) -> Result<Vec<Sampled>, CaseError> {
    let mut cuda = Cuda::new(device.clone());
    let logits = Buffer::holding(put(device, logits)?, samples.len(), vocab);
    let batch = Batch { samples, ..Batch::default() };
    cuda.step(&batch, |cuda| cuda.sample(&logits, &batch))?;
    Ok(cuda.collect()?)
}

fn tokens<D: Driver>(device: &D) -> Result<(), CaseError> {
    let isa = Isa::best();
    let exp = |x: &[f32], shift, scale, to: &mut [f32]| isa.run(Exponentials { x, shift, scale, to });
    for vocab in [17, 300, 1003] {
        let history = [3, 5, 3, 16, 3, u32::MAX];
        let mask: Vec<u32> = (0..vocab as u32).step_by(32).map(|i| 0x9249_2492 >> (i % 5)).collect();
        let samples: Vec<_> = params()
            .into_iter()
            .enumerate()
            .map(|(i, params)| SampleRow {
                row: 0,
                params: SampleParams { seed: i as u64 * 7, stream: 2, ..params },
                position: 11,
                history: if i % 5 == 4 { &[] } else { &history },
                mask: (i % 3 == 1).then_some(mask.as_slice()),
            })
            .collect();
        let rows: Vec<_> = (0..samples.len()).flat_map(|row| logits(row, vocab)).collect();
        let found = sample(device, &rows, vocab, &samples)?;
        ensure(found.len() == samples.len(), || {
            format!("{} tokens for {} rows", found.len(), samples.len())
        })?;
        for ((found, row), logits) in found.iter().zip(&samples).zip(rows.chunks_exact(vocab)) {
            let wanted = Sampler::default().sample(logits, row, &exp);
            ensure(*found == wanted, || {
                format!("{found:?} instead of {wanted:?} among {vocab} tokens with {:?}", row.params)
            })?;
        }
    }
    Ok(())
}

fn impossible<D: Driver>(device: &D) -> Result<(), CaseError> {
    let params = SampleParams::default();
    let row = SampleRow { row: 0, params, position: 0, history: &[], mask: Some(&[0, 0]) };
    let found = sample(device, &wave(1, 40), 40, &[row])?[0];
    let is_first = (found.token, found.log_probability) == (0, f32::NEG_INFINITY);
    ensure(is_first, || format!("{found:?}"))
}

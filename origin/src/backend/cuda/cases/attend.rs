//! Attention over the paged cache.

use super::arrays::{put, wave};
use super::heads::{BLOCKS, Heads};
use super::{Case, CaseError, ensure, near};
use crate::backend::batch::{BLOCK_TOKENS, Batch, SequenceSpan};
use crate::backend::cuda::Cuda;
use crate::backend::cuda::cache::Cache;
use crate::backend::cuda::driver::Driver;
use crate::backend::{AttentionWeights, Backend};
use crate::model::tensors::random::WeightFormat;
use half::{bf16, f16};

pub(super) fn cases<D: Driver>() -> Vec<Case<D>> {
    vec![
        Case { subject: "attend", promise: "attention agrees with plain sums", run: agrees },
        Case {
            subject: "attend",
            promise: "a context has the same bits row by row or as a prompt, split or whole, alone or in company",
            run: same_bits,
        },
    ]
}

/// One sequence of a step: tokens in the cache before, tokens of the step.
type Part = (usize, usize);

/// Attention with a cache whose every block is full of keys and values, `(blocks, kv_heads, 16, head_dim)` each.
struct Attention<D: Driver> {
    cuda: Cuda<D>,
    heads: Heads,
    format: WeightFormat,
    weights: AttentionWeights<Cuda<D>>,
    cache: Cache<D>,
    keys: Vec<f16>,
    values: Vec<f16>,
}

impl<D: Driver> Attention<D> {
    fn new(device: &D, heads: Heads, format: WeightFormat) -> Result<Self, CaseError> {
        let halves = |seed, count| wave(seed, count).into_iter().map(f16::from_f32).collect::<Vec<_>>();
        let size = BLOCK_TOKENS * heads.dim;
        let (keys, values) = (halves(3, BLOCKS * heads.kv * size), halves(4, BLOCKS * heads.kv * size));
        let mut turned = values.clone();
        for (to, from) in turned.chunks_exact_mut(size).zip(values.chunks_exact(size)) {
            for (i, to) in to.iter_mut().enumerate() {
                *to = from[i % BLOCK_TOKENS * heads.dim + i / BLOCK_TOKENS];
            }
        }
        let mut cuda = Cuda::new(device.clone());
        let mut cache = cuda.cache(heads.cache())?;
        cache.replace(1, [put(device, &keys)?, put(device, &turned)?]);
        let weights = heads.weights(&cuda, format)?;
        Ok(Self { cuda, heads, format, weights, cache, keys, values })
    }

    /// Attention of the parts as one step. `first` is the first part's sequence.
    fn step(&mut self, parts: &[Part], first: usize) -> Result<Vec<f64>, CaseError> {
        let rows: usize = parts.iter().map(|part| part.1).sum();
        let tables = tables(parts);
        let qkv: Vec<_> = places(parts).flat_map(|(i, position)| self.row(first + i, position)).collect();
        let spans = parts.iter().zip(&tables);
        let spans: Vec<_> =
            spans.map(|(part, blocks)| SequenceSpan { start: part.0, count: part.1, blocks }).collect();
        let batch = Batch { tokens: &vec![0; rows], sequences: &spans, samples: &[] };
        let Self { cuda, heads, weights, cache, .. } = self;
        cuda.scratch.qkv.replace(put(&cuda.driver, &qkv)?);
        cuda.step(&batch, |cuda| cuda.attempt(|cuda| cuda.attend(weights, cache, 1)))?;
        let mut bytes = vec![0; rows * heads.query * heads.dim * 2];
        let memory = cuda.scratch.attended.memory();
        memory.map_or(Ok(()), |memory| cuda.driver.read(memory, 0, &mut bytes))?;
        let is_bf16 = self.format == WeightFormat::Bf16;
        let number =
            |bits| if is_bf16 { bf16::from_bits(bits).to_f64() } else { f16::from_bits(bits).to_f64() };
        Ok(bytes.as_chunks().0.iter().map(|&bytes| number(u16::from_le_bytes(bytes))).collect())
    }

    /// What a row attends with: its sequence and position decide, so that it is the same in any batch.
    fn row(&self, sequence: usize, position: usize) -> Vec<f32> {
        wave(sequence * 1000 + position, self.heads.width())
    }

    /// A token's key or value: of the step, or from the cache before it.
    fn vector(
        &self,
        part: Part,
        table: &[u32],
        [sequence, position, head]: [usize; 3],
        is_key: bool,
    ) -> Vec<f64> {
        if position >= part.0 {
            let row = self.row(sequence, position);
            let exact = if is_key {
                self.heads.key_of(&row, head, position)
            } else {
                self.heads.value_of(&row, head)
            };
            return exact.into_iter().map(|x| f16::from_f64(x).to_f64()).collect();
        }
        let block = table[position / BLOCK_TOKENS] as usize;
        let index = (block * self.heads.kv + head) * BLOCK_TOKENS + position % BLOCK_TOKENS;
        let of = if is_key { &self.keys } else { &self.values };
        of[index * self.heads.dim..][..self.heads.dim].iter().map(|x| x.to_f64()).collect()
    }

    /// Attention of one query head at a position, plainly.
    fn plain(&self, part: Part, table: &[u32], [sequence, position, head]: [usize; 3]) -> Vec<f64> {
        let kv = head / (self.heads.query / self.heads.kv);
        let query = self.heads.query_of(&self.row(sequence, position), head, position);
        let scale = 1.0 / (query.len() as f64).sqrt();
        let vector = |p, is_key| self.vector(part, table, [sequence, p, kv], is_key);
        let score = |p| vector(p, true).iter().zip(&query).map(|(k, q)| k * q).sum::<f64>() * scale;
        let scores: Vec<f64> = (0..=position).map(score).collect();
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - max).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let mut mixed = vec![0.0; query.len()];
        for (p, weight) in weights.iter().enumerate() {
            mixed.iter_mut().zip(vector(p, false)).for_each(|(to, value)| *to += weight / sum * value);
        }
        mixed
    }
}

/// The blocks of each sequence: apart from those of the others, and in no order.
fn tables(parts: &[Part]) -> Vec<Vec<u32>> {
    let mut blocks = (0..BLOCKS).map(|i| ((i * 7 + 1) % BLOCKS) as u32);
    let counts = parts.iter().map(|part| (part.0 + part.1).div_ceil(BLOCK_TOKENS));
    counts.map(|count| blocks.by_ref().take(count).collect()).collect()
}

/// Each row's sequence and position.
fn places(parts: &[Part]) -> impl Iterator<Item = (usize, usize)> {
    parts.iter().enumerate().flat_map(|(i, part)| (part.0..part.0 + part.1).map(move |p| (i, p)))
}

fn agrees<D: Driver>(device: &D) -> Result<(), CaseError> {
    use WeightFormat::{Bf16, F16};
    for (heads, format, parts) in [
        (Heads::plain(3, 3, 32), F16, &[(0, 5)][..]),
        (Heads::plain(9, 3, 64), F16, &[(0, 9), (130, 1), (37, 2)]),
        (Heads::plain(8, 1, 64), Bf16, &[(300, 1), (5, 3)]),
        (Heads::dressed(4, 1, 96), F16, &[(140, 2)]),
        (Heads::plain(4, 2, 128), F16, &[(255, 2), (0, 17)]),
        (Heads::dressed(4, 2, 80), F16, &[(140, 2), (0, 3)]),
        (Heads::dressed(2, 1, 256), F16, &[(130, 2), (0, 9)]),
        (Heads::plain(20, 1, 32), F16, &[(130, 2)]),
        // Single rows: with one split and with three, a block's first and last token, more heads than a tile has.
        (Heads::plain(9, 3, 64), F16, &[(0, 1), (300, 1), (127, 1), (128, 1)]),
        (Heads::dressed(8, 1, 32), Bf16, &[(143, 1), (15, 1)]),
        (Heads::dressed(4, 4, 96), F16, &[(16, 1)]),
        (Heads::dressed(4, 1, 128), F16, &[(260, 1)]),
        (Heads::dressed(2, 1, 80), Bf16, &[(131, 1), (4, 1)]),
        (Heads::plain(4, 2, 256), F16, &[(260, 1), (7, 1)]),
        (Heads::plain(20, 1, 32), F16, &[(130, 1), (3, 1)]),
    ] {
        let mut attention = Attention::new(device, heads, format)?;
        let found = attention.step(parts, 0)?;
        let tables = tables(parts);
        let wanted = places(parts).flat_map(|(i, position)| {
            let (attention, table) = (&attention, &tables[i]);
            (0..heads.query).flat_map(move |head| attention.plain(parts[i], table, [i, position, head]))
        });
        let tolerance = if format == Bf16 { 6e-3 } else { 1e-3 };
        for (i, (found, wanted)) in found.into_iter().zip(wanted).enumerate() {
            near(found, wanted, tolerance, || format!("{heads:?}, {parts:?}, {i}"))?;
        }
    }
    Ok(())
}

fn same_bits<D: Driver>(device: &D) -> Result<(), CaseError> {
    // A head that is one warp's, and one that several share.
    [Heads::dressed(6, 2, 64), Heads::dressed(1, 1, 256)]
        .map(|heads| has_same_bits(device, heads))
        .into_iter()
        .collect()
}

fn has_same_bits<D: Driver>(device: &D, heads: Heads) -> Result<(), CaseError> {
    let width = heads.query * heads.dim;
    // A prompt goes through its context at once, a single token split by split; the tokens before it are in the cache.
    let prompt = Attention::new(device, heads, WeightFormat::F16)?.step(&[(124, 6)], 0)?;
    let mut alone = Attention::new(device, heads, WeightFormat::F16)?;
    let mut in_company = Attention::new(device, heads, WeightFormat::F16)?;
    for (position, of_prompt) in (124..).zip(prompt.chunks_exact(width)) {
        let row = alone.step(&[(position, 1)], 0)?;
        ensure(row == of_prompt, || format!("position {position} is another in a prompt"))?;
        // Single rows, then a step of several.
        let others = [(200, 1), (0, 1 + position % 2 * 6), (300, 1)];
        let row = in_company.step(&[&[(position, 1)], &others[..]].concat(), 0)?;
        ensure(row[..width] == *of_prompt, || format!("position {position} is another in company"))?;
    }
    Ok(())
}

//! Attention over the paged cache.

use super::arrays::{put, wave};
use super::{Case, CaseError, ensure, near};
use crate::backend::batch::{BLOCK_TOKENS, Batch, SequenceSpan};
use crate::backend::cuda::Cuda;
use crate::backend::cuda::cache::Cache;
use crate::backend::cuda::driver::Driver;
use crate::backend::cuda::room::Buffer;
use crate::backend::{Backend, CacheShape};
use crate::model::config::{Rope, RopeScaling};
use half::f16;

const BLOCKS: usize = 40;

pub(super) fn cases<D: Driver>() -> Vec<Case<D>> {
    vec![
        Case { subject: "attend", promise: "attention agrees with plain sums", run: agrees },
        Case {
            subject: "attend",
            promise: "a context has the same bits split or whole, alone or in company",
            run: same_bits,
        },
    ]
}

pub(super) fn shape(heads: usize, kv_heads: usize, head_dim: usize) -> CacheShape {
    CacheShape {
        layers: 2,
        heads,
        kv_heads,
        head_dim,
        blocks: BLOCKS,
        context_max: 512,
        rope: Rope { theta: 10_000.0, scaling: RopeScaling::None },
    }
}

/// One sequence of a case: tokens in the cache before, tokens of the step.
type Part = (usize, usize);

/// A cache whose every block is full of keys and values, `(blocks, kv_heads, 16, head_dim)` each.
struct Filled<D: Driver> {
    cache: Cache<D>,
    keys: Vec<f16>,
    values: Vec<f16>,
}

impl<D: Driver> Filled<D> {
    fn new(cuda: &mut Cuda<D>, shape: &CacheShape) -> Result<Self, CaseError> {
        let halves = |seed, count| wave(seed, count).into_iter().map(f16::from_f32).collect::<Vec<_>>();
        let count = BLOCKS * shape.kv_heads * BLOCK_TOKENS * shape.head_dim;
        let (keys, values) = (halves(3, count), halves(4, count));
        let mut turned = values.clone();
        let size = BLOCK_TOKENS * shape.head_dim;
        for (to, from) in turned.chunks_exact_mut(size).zip(values.chunks_exact(size)) {
            for (i, to) in to.iter_mut().enumerate() {
                *to = from[i % BLOCK_TOKENS * shape.head_dim + i / BLOCK_TOKENS];
            }
        }
        let mut cache = cuda.cache(shape.clone())?;
        cache.replace(1, [put(&cuda.driver, &keys)?, put(&cuda.driver, &turned)?]);
        Ok(Self { cache, keys, values })
    }

    /// A token's key or value.
    fn vector<'a>(&self, of: &'a [f16], blocks: &[u32], position: usize, head: usize) -> &'a [f16] {
        let CacheShape { kv_heads, head_dim, .. } = self.cache.shape;
        let block = blocks[position / BLOCK_TOKENS] as usize;
        let index = (block * kv_heads + head) * BLOCK_TOKENS + position % BLOCK_TOKENS;
        &of[index * head_dim..][..head_dim]
    }

    /// Attention of one query at a position, plainly.
    fn attend(&self, query: &[f32], blocks: &[u32], position: usize, head: usize) -> Vec<f64> {
        let scale = 1.0 / (query.len() as f64).sqrt();
        let score = |p| {
            let key = self.vector(&self.keys, blocks, p, head);
            key.iter().zip(query).map(|(k, q)| k.to_f64() * f64::from(*q)).sum::<f64>() * scale
        };
        let scores: Vec<f64> = (0..=position).map(score).collect();
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - max).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let mut mixed = vec![0.0; query.len()];
        for (p, weight) in weights.iter().enumerate() {
            for (to, value) in mixed.iter_mut().zip(self.vector(&self.values, blocks, p, head)) {
                *to += weight / sum * value.to_f64();
            }
        }
        mixed
    }
}

/// The blocks of a case's sequence `index`: apart from those of the others, and in no order.
fn blocks(index: usize, part: Part) -> Vec<u32> {
    let count = (part.0 + part.1).div_ceil(BLOCK_TOKENS);
    (0..count).map(|i| ((i * 7 + index * 3 + 1) % BLOCKS) as u32).collect()
}

/// Attention of the parts as one step, and as plain sums.
fn attend<D: Driver>(
    device: &D,
    shape: &CacheShape,
    parts: &[Part],
) -> Result<(Vec<f32>, Vec<f64>), CaseError> {
    let mut cuda = Cuda::new(device.clone());
    let filled = Filled::new(&mut cuda, shape)?;
    let rows: usize = parts.iter().map(|part| part.1).sum();
    let width = (shape.heads + 2 * shape.kv_heads) * shape.head_dim;
    // Queries follow their sequence and position, so that a row is the same in any batch.
    let query = |index: usize, position: usize| wave(index * 1000 + position, width);
    let places =
        || parts.iter().enumerate().flat_map(|(i, part)| (part.0..part.0 + part.1).map(move |p| (i, p)));
    let qkv: Vec<_> = places().flat_map(|(index, position)| query(index, position)).collect();
    let tables: Vec<_> = parts.iter().enumerate().map(|(index, part)| blocks(index, *part)).collect();
    let spans: Vec<_> = parts
        .iter()
        .zip(&tables)
        .map(|(part, blocks)| SequenceSpan { start: part.0, count: part.1, blocks })
        .collect();
    let mut output = cuda.buffer(rows, shape.heads * shape.head_dim)?;
    let queries = Buffer::holding(put(device, &qkv)?, rows, width);
    let batch = Batch { tokens: &vec![0; rows], sequences: &spans, samples: &[] };
    cuda.step(&batch, |cuda| cuda.attention(&queries, &filled.cache, 1, &mut output))?;
    let group = shape.heads / shape.kv_heads;
    let wanted = places().flat_map(|(index, position)| {
        let (query, tables, filled) = (query(index, position), &tables, &filled);
        (0..shape.heads).flat_map(move |head| {
            let query = &query[head * shape.head_dim..][..shape.head_dim];
            filled.attend(query, &tables[index], position, head / group)
        })
    });
    Ok((cuda.read(&output, rows)?, wanted.collect()))
}

fn agrees<D: Driver>(device: &D) -> Result<(), CaseError> {
    for (heads, kv_heads, head_dim, parts) in [
        (3, 3, 32, &[(0, 5)][..]),
        (9, 3, 64, &[(0, 9), (130, 1), (37, 2)]),
        (8, 1, 64, &[(300, 1), (5, 3)]),
        (4, 1, 96, &[(140, 2)]),
        (4, 2, 128, &[(255, 2), (0, 17)]),
        (20, 1, 32, &[(130, 2)]),
    ] {
        let (found, wanted) = attend(device, &shape(heads, kv_heads, head_dim), parts)?;
        ensure(found.len() == wanted.len(), || format!("{} of {} outputs", found.len(), wanted.len()))?;
        for (i, (found, wanted)) in found.into_iter().zip(wanted).enumerate() {
            near(found, wanted, 1e-3, || format!("{heads}/{kv_heads} heads of {head_dim}, {parts:?}, {i}"))?;
        }
    }
    Ok(())
}

fn same_bits<D: Driver>(device: &D) -> Result<(), CaseError> {
    let shape = shape(6, 2, 64);
    // A prompt goes through its context at once, a single token split by split.
    let (prompt, _) = attend(device, &shape, &[(120, 24)])?;
    let width = shape.heads * shape.head_dim;
    for position in [120, 127, 128, 143] {
        let (alone, _) = attend(device, &shape, &[(position, 1)])?;
        let of_prompt = &prompt[(position - 120) * width..][..width];
        ensure(alone == of_prompt, || format!("position {position} is another in a prompt"))?;
        let (company, _) = attend(device, &shape, &[(position, 1), (200, 1), (0, 7), (300, 2)])?;
        ensure(company[..width] == alone, || format!("position {position} is another in company"))?;
    }
    Ok(())
}

//! Rotation, the paged cache, and attention over it.

use super::device::{everywhere, get, put, wave};
use crate::backend::batch::{BLOCK_TOKENS, Batch, SequenceSpan};
use crate::backend::cuda::room::Buffer;
use crate::backend::cuda::simulator::{Checks, Simulator};
use crate::backend::cuda::{Cuda, cache::Cache};
use crate::backend::{AttentionInput, Backend, BackendError, CacheShape, Norm};
use crate::model::config::{Rope, RopeScaling};
use crate::model::tensors::Matrix;
use crate::model::tensors::random::WeightFormat;
use half::f16;

const BLOCKS: usize = 40;

fn shape(heads: usize, kv_heads: usize, head_dim: usize) -> CacheShape {
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
struct Filled {
    cache: Cache<Simulator>,
    keys: Vec<f16>,
    values: Vec<f16>,
}

impl Filled {
    fn new(cuda: &mut Cuda<Simulator>, shape: &CacheShape) -> Self {
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
        let mut cache = cuda.cache(shape.clone()).expect("a cache");
        cache.replace(1, [put(&cuda.driver, &keys), put(&cuda.driver, &turned)]);
        Self { cache, keys, values }
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
fn attend(device: &Simulator, shape: &CacheShape, parts: &[Part]) -> (Vec<f32>, Vec<f64>) {
    let mut cuda = Cuda::new(device.clone());
    let filled = Filled::new(&mut cuda, shape);
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
    let width_out = shape.heads * shape.head_dim;
    let mut output = cuda.buffer(rows, width_out).expect("room");
    let queries = Buffer::holding(put(device, &qkv), rows, width);
    let batch = Batch { tokens: &vec![0; rows], sequences: &spans, samples: &[] };
    cuda.step(&batch, |cuda| cuda.attention(&queries, &filled.cache, 1, &mut output)).expect("a step");
    let group = shape.heads / shape.kv_heads;
    let wanted = places().flat_map(|(index, position)| {
        let (query, tables, filled) = (query(index, position), &tables, &filled);
        (0..shape.heads).flat_map(move |head| {
            let query = &query[head * shape.head_dim..][..shape.head_dim];
            filled.attend(query, &tables[index], position, head / group)
        })
    });
    (cuda.read(&output, rows).expect("the output"), wanted.collect())
}

#[test]
fn attention_agrees_with_plain_sums() {
    everywhere(|device| {
        for (heads, kv_heads, head_dim, parts) in [
            (3, 3, 32, &[(0, 5)][..]),
            (9, 3, 64, &[(0, 9), (130, 1), (37, 2)]),
            (8, 1, 64, &[(300, 1), (5, 3)]),
            (4, 1, 96, &[(140, 2)]),
            (4, 2, 128, &[(255, 2), (0, 17)]),
            (20, 1, 32, &[(130, 2)]),
        ] {
            let (found, wanted) = attend(device, &shape(heads, kv_heads, head_dim), parts);
            assert_eq!(found.len(), wanted.len());
            for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
                let error = (f64::from(*found) - wanted).abs();
                assert!(error < 1e-3, "{heads}/{kv_heads} heads of {head_dim}, {parts:?}, {i}: {error}");
            }
        }
    });
}

#[test]
fn a_context_has_the_same_bits_split_or_whole_alone_or_in_company() {
    let device = Simulator::new(Checks::Plain);
    let shape = shape(6, 2, 64);
    // A prompt goes through its context at once, a single token split by split.
    let (prompt, _) = attend(&device, &shape, &[(120, 24)]);
    let width = shape.heads * shape.head_dim;
    for position in [120, 127, 128, 143] {
        let (alone, _) = attend(&device, &shape, &[(position, 1)]);
        assert!(alone == prompt[(position - 120) * width..][..width], "position {position}");
        let (company, _) = attend(&device, &shape, &[(position, 1), (200, 1), (0, 7), (300, 2)]);
        assert!(company[..width] == alone, "position {position} in company");
    }
}

#[test]
fn a_head_that_no_kernel_is_made_for_is_refused() {
    let refused = Cuda::new(Simulator::new(Checks::Plain)).cache(shape(2, 1, 80)).map(drop);
    let wanted = BackendError::Choice { what: "the width of a head", value: 80, choices: &[32, 64, 96, 128] };
    assert_eq!(refused, Err(wanted));
}

/// Keys and values that a step writes, beside the formula.
#[test]
fn keys_are_normalised_and_rotated_and_values_keep_their_bias() {
    everywhere(|device| {
        let (shape, start, count) = (shape(3, 1, 96), 21, 13);
        let mut cuda = Cuda::new(device.clone());
        let cache = cuda.cache(shape.clone()).expect("a cache");
        let vector = |seed, width| cuda.vector(wave(seed, width)).expect("a vector");
        let matrix = |rows| cuda.matrix(Matrix::random(rows, 32, 1, WeightFormat::F16)).expect("a matrix");
        let norm = |seed, width| Norm { weight: vector(seed, width), epsilon: 1e-5 };
        let weights = AttentionInput::<Cuda<Simulator>> {
            norm: norm(1, 32),
            projections: [matrix(288), matrix(96), matrix(96)],
            bias: Some([vector(2, 288), vector(3, 96), vector(4, 96)]),
            head_norms: Some([norm(5, 96), norm(6, 96)]),
        };
        let qkv = wave(9, count * 5 * 96);
        let rows = Buffer::holding(put(device, &qkv), count, 5 * 96);
        let table = [7, 2, 9];
        let span = SequenceSpan { start, count, blocks: &table };
        let batch = Batch { tokens: &vec![0; count], sequences: &[span], samples: &[] };
        cuda.step(&batch, |cuda| cuda.attempt(|cuda| cuda.rotate(&rows, &weights, &cache, 1)))
            .expect("a step");
        let rotated = cuda.read(&rows, count).expect("queries");
        let [keys, values] =
            cache.memory(1).each_ref().map(|memory| get::<f16>(device, memory).expect("the cache"));
        for row in 0..count {
            let position = start + row;
            let head = |head: usize, bias: &[f32]| -> Vec<f64> {
                let x = &qkv[row * 5 * 96 + head * 96..][..96];
                x.iter().zip(bias).map(|(x, bias)| f64::from(*x) + f64::from(*bias)).collect()
            };
            let ready = |mut x: Vec<f64>, seed| {
                let mean = x.iter().map(|x| x * x).sum::<f64>() / 96.0;
                let weight = wave(seed, 96);
                x.iter_mut().zip(weight).for_each(|(x, w)| *x *= f64::from(w) / (mean + 1e-5).sqrt());
                (0..96)
                    .map(|i| {
                        let angle = position as f64 * 10_000_f64.powf(-2.0 * (i % 48) as f64 / 96.0);
                        let other = if i < 48 { -x[i + 48] } else { x[i - 48] };
                        x[i] * angle.cos() + other * angle.sin()
                    })
                    .collect::<Vec<_>>()
            };
            let near = |found: f64, wanted: f64, tolerance: f64, what: &str| {
                assert!(
                    (found - wanted).abs() <= tolerance * (1.0 + wanted.abs()),
                    "{what}, row {row}: {found}, {wanted}"
                );
            };
            for query in 0..3 {
                let wanted = ready(head(query, &wave(2, 288)[query * 96..]), 5);
                let found = &rotated[row * 5 * 96 + query * 96..][..96];
                found
                    .iter()
                    .zip(wanted)
                    .for_each(|(found, wanted)| near(f64::from(*found), wanted, 2e-6, "query"));
            }
            let (block, place) = (table[position / 16] as usize, position % 16);
            let (key, value) = (ready(head(3, &wave(3, 96)), 6), head(4, &wave(4, 96)));
            for i in 0..96 {
                near(keys[(block * 16 + place) * 96 + i].to_f64(), key[i], 6e-4, "key");
                near(values[(block * 96 + i) * 16 + place].to_f64(), value[i], 6e-4, "value");
            }
        }
        // Nothing else is written.
        assert_eq!(keys.iter().filter(|key| key.to_bits() != 0).count(), count * 96);
    });
}

//! Causal attention over the paged cache.
//!
//! A task takes a few rows of one sequence and one key/value head, so that each key and value is converted once for
//! all query heads that share it. Scores of the whole context first, then the softmax, then the sum of values; blocks
//! are taken in the order of the sequence, so that a row's result depends on its context alone.

use super::cache::{Cache, LayerCache};
use super::grid::{Grid, Rectangle};
use super::matmul::dot_half;
use super::plan::Plan;
use super::simd::{Kernel, LANES, Simd};
use crate::backend::batch::BLOCK_TOKENS;
use half::f16;
/// Attention of the rows and query heads of one rectangle of the output, `(rows, heads * head_dim)`; the rectangle's
/// columns are the query heads that share key/value head `head`, its rows belong to one sequence.
pub(crate) struct Attention<'a, 'b> {
    pub(crate) plan: &'a Plan,
    pub(crate) cache: &'a Cache,
    pub(crate) layer: usize,
    pub(crate) head: usize,
    /// `(rows, heads * head_dim …)`, rotated and scaled.
    pub(crate) queries: &'a Grid<f32>,
    pub(crate) output: Rectangle<'b, f32>,
    /// Scratch.
    pub(crate) scores: &'b mut Vec<f32>,
}

impl Kernel for Attention<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let group = self.cache.shape.heads / self.cache.shape.kv_heads;
        let rows = self.output.rows();
        let vectors = rows.len() * group;
        let blocks = self.plan.position(rows.end - 1) / BLOCK_TOKENS + 1;
        let width = blocks * BLOCK_TOKENS;
        let cells = std::mem::take(self.scores);
        let mut scores = Scores { vectors, width, cells };
        scores.cells.resize(vectors * width, 0.0);
        self.score(simd, &mut scores);
        for vector in 0..vectors {
            let position = self.plan.position(rows.start + vector / group);
            softmax(simd, &mut scores.cells[vector * width..][..width], position);
        }
        self.mix(simd, &scores);
        *self.scores = scores.cells;
    }
}

/// Scores, then attention weights: `(vectors, width)`.
struct Scores {
    vectors: usize,
    width: usize,
    cells: Vec<f32>,
}

impl Attention<'_, '_> {
    #[inline(always)]
    fn layer(&self) -> &LayerCache {
        &self.cache.layers[self.layer]
    }

    /// Query vector `vector` of the task: row by row, the heads of the group side by side.
    #[inline(always)]
    fn query(&self, vector: usize) -> &[f32] {
        let size = self.cache.shape.head_dim;
        let group = self.cache.shape.heads / self.cache.shape.kv_heads;
        let row = self.output.rows().start + vector / group;
        &self.queries.row(row)[(self.head * group + vector % group) * size..][..size]
    }

    /// Dot products of every query vector with every key of the context.
    #[inline(always)]
    fn score<S: Simd>(&self, simd: S, scores: &mut Scores) {
        let size = self.cache.shape.head_dim;
        let keys = self.layer().keys.row(self.head);
        let table = self.plan.table(self.output.rows().start);
        for (i, &block) in table.iter().take(scores.width / BLOCK_TOKENS).enumerate() {
            let keys = &keys[block as usize * size..][..size];
            let mut vector = 0;
            while vector < scores.vectors {
                let from = vector;
                vector += match S::TILE_ROWS.min(scores.vectors - vector) {
                    8.. => self.score_block::<S, 8>(simd, keys, from, i, scores),
                    4.. => self.score_block::<S, 4>(simd, keys, from, i, scores),
                    3 => self.score_block::<S, 3>(simd, keys, from, i, scores),
                    2 => self.score_block::<S, 2>(simd, keys, from, i, scores),
                    _ => self.score_block::<S, 1>(simd, keys, from, i, scores),
                };
            }
        }
    }

    #[inline(always)]
    fn score_block<S: Simd, const R: usize>(
        &self,
        simd: S,
        keys: &[[f16; LANES]],
        vector: usize,
        block: usize,
        scores: &mut Scores,
    ) -> usize {
        let queries = std::array::from_fn(|r| self.query(vector + r));
        for (r, sum) in dot_half::<S, f16, R>(simd, keys, queries).into_iter().enumerate() {
            let to = &mut scores.cells[(vector + r) * scores.width + block * BLOCK_TOKENS..];
            if let Some(to) = to.first_chunk_mut() {
                simd.store(sum, to);
            }
        }
        R
    }

    /// The sums of values under the weights, written to the output.
    #[inline(always)]
    fn mix<S: Simd>(&mut self, simd: S, scores: &Scores) {
        let mut vector = 0;
        while vector < scores.vectors {
            let from = vector;
            vector += match S::TILE_ROWS.min(scores.vectors - vector) {
                8.. => self.mix_vectors::<S, 8>(simd, from, scores),
                4.. => self.mix_vectors::<S, 4>(simd, from, scores),
                3 => self.mix_vectors::<S, 3>(simd, from, scores),
                2 => self.mix_vectors::<S, 2>(simd, from, scores),
                _ => self.mix_vectors::<S, 1>(simd, from, scores),
            };
        }
    }

    #[inline(always)]
    fn mix_vectors<S: Simd, const R: usize>(&mut self, simd: S, vector: usize, scores: &Scores) -> usize {
        let size = self.cache.shape.head_dim;
        let group = self.cache.shape.heads / self.cache.shape.kv_heads;
        let first = self.output.rows().start;
        let weights: [&[f32]; R] =
            std::array::from_fn(|r| &scores.cells[(vector + r) * scores.width..][..scores.width]);
        for chunk in 0..size / LANES {
            let values = self.cache.layers[self.layer].values.row(self.head);
            let mut sums = [simd.splat(0.0); R];
            let table = self.plan.table(first);
            for (i, &block) in table.iter().take(scores.width / BLOCK_TOKENS).enumerate() {
                let values = &values[block as usize * size + chunk * BLOCK_TOKENS..][..BLOCK_TOKENS];
                let weights = weights.map(|weights| &weights[i * BLOCK_TOKENS..][..BLOCK_TOKENS]);
                let parts = dot_half::<S, f16, R>(simd, values, weights);
                for r in 0..R {
                    sums[r] = simd.add(sums[r], parts[r]);
                }
            }
            for (r, sum) in sums.into_iter().enumerate() {
                let head = (vector + r) % group;
                let to = &mut self.output.row(first + (vector + r) / group)[head * size + chunk * LANES..];
                if let Some(to) = to.first_chunk_mut() {
                    simd.store(sum, to);
                }
            }
        }
        R
    }
}

/// Turns the scores of positions `0..=position` into weights that sum to 1, and the rest into 0.
#[inline(always)]
fn softmax<S: Simd>(simd: S, scores: &mut [f32], position: usize) {
    let (seen, unseen) = scores.split_at_mut((position / LANES + 1) * LANES);
    unseen.fill(0.0);
    let masked = position + 1..seen.len();
    seen[masked.clone()].fill(f32::NEG_INFINITY);
    let chunks = seen.as_chunks_mut::<LANES>().0;
    let mut greatest = simd.splat(f32::NEG_INFINITY);
    for chunk in &*chunks {
        greatest = simd.max(greatest, simd.load(chunk));
    }
    let greatest = simd.splat(simd.greatest(greatest));
    for chunk in chunks.iter_mut() {
        simd.store(simd.exp(simd.sub(simd.load(chunk), greatest)), chunk);
    }
    seen[masked].fill(0.0);
    let chunks = seen.as_chunks_mut::<LANES>().0;
    let mut sum = simd.splat(0.0);
    for chunk in &*chunks {
        sum = simd.add(sum, simd.load(chunk));
    }
    let factor = simd.splat(1.0 / simd.sum(sum));
    for chunk in chunks {
        simd.store(simd.mul(simd.load(chunk), factor), chunk);
    }
}

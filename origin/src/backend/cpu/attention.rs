//! Causal attention over the paged cache.
//!
//! A task takes a few rows of one sequence and one key/value head, so that each key and value is converted once for
//! all query heads that share it. Scores of the whole context first, then the softmax, then the sum of values; blocks
//! are taken in the order of the sequence, so that a row's result depends on its context alone.

use super::cache::{Cache, HalfBits};
use super::grid::{Cuts, Grid, Rectangle};
use super::matmul::dot_half;
use super::plan::Plan;
use super::simd::{Kernel, LANES, Simd};
use crate::backend::batch::BLOCK_TOKENS;
/// Vectors of 16 value elements whose sums are under way at a time: a head of 128.
const CHUNKS_MAX: usize = 8;

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
        self.each_tile(simd, Score, &mut scores);
        for vector in 0..vectors {
            let position = self.plan.position(rows.start + vector / group);
            softmax(simd, &mut scores.cells[vector * width..][..width], position);
        }
        self.each_tile(simd, Mix, &mut scores);
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
    /// The sequence's blocks that the task's context takes up.
    #[inline(always)]
    fn blocks(&self, scores: &Scores) -> &[u32] {
        &self.plan.table(self.output.rows().start)[..scores.width / BLOCK_TOKENS]
    }

    /// Query vector `vector` of the task: row by row, the heads of the group side by side.
    #[inline(always)]
    fn query(&self, vector: usize) -> &[f32] {
        let size = self.cache.shape.head_dim;
        let group = self.cache.shape.heads / self.cache.shape.kv_heads;
        let row = self.output.rows().start + vector / group;
        &self.queries.row(row)[(self.head * group + vector % group) * size..][..size]
    }

    /// Runs `phase` over all query vectors, as many at a time as the registers hold.
    #[inline(always)]
    fn each_tile<S: Simd, P: Phase>(&mut self, simd: S, phase: P, scores: &mut Scores) {
        let mut vector = 0;
        while vector < scores.vectors {
            let from = vector;
            vector += match S::TILE_ROWS.min(scores.vectors - vector) {
                8.. => phase.run::<S, 8>(simd, self, from, scores),
                4.. => phase.run::<S, 4>(simd, self, from, scores),
                3 => phase.run::<S, 3>(simd, self, from, scores),
                2 => phase.run::<S, 2>(simd, self, from, scores),
                _ => phase.run::<S, 1>(simd, self, from, scores),
            };
        }
    }
}

/// A part of attention over `R` query vectors from `vector`; returns `R`.
trait Phase: Copy {
    fn run<S: Simd, const R: usize>(
        self,
        simd: S,
        task: &mut Attention<'_, '_>,
        vector: usize,
        scores: &mut Scores,
    ) -> usize;
}

/// Dot products of query vectors with every key of the context.
#[derive(Clone, Copy)]
struct Score;

impl Phase for Score {
    #[inline(always)]
    fn run<S: Simd, const R: usize>(
        self,
        simd: S,
        task: &mut Attention<'_, '_>,
        vector: usize,
        scores: &mut Scores,
    ) -> usize {
        let size = task.cache.shape.head_dim;
        let keys = task.cache.layers[task.layer].keys.row(task.head);
        let mut queries = [task.query(vector); R];
        for (r, query) in queries.iter_mut().enumerate() {
            *query = task.query(vector + r);
        }
        let table = task.blocks(scores);
        for (i, &block) in table.iter().enumerate() {
            let next = table.get(i + 1).map_or(0, |&next| next as usize * size);
            simd.prefetch(&keys[next..][..size]);
            let sums = dot_half::<S, HalfBits, R>(simd, &keys[block as usize * size..][..size], queries);
            for (r, &sum) in sums.iter().enumerate() {
                let to = &mut scores.cells[(vector + r) * scores.width + i * BLOCK_TOKENS..];
                if let Some(to) = to.first_chunk_mut() {
                    simd.store(sum, to);
                }
            }
        }
        R
    }
}

/// The sums of values under the weights, written to the output.
#[derive(Clone, Copy)]
struct Mix;

impl Phase for Mix {
    #[inline(always)]
    fn run<S: Simd, const R: usize>(
        self,
        simd: S,
        task: &mut Attention<'_, '_>,
        vector: usize,
        scores: &mut Scores,
    ) -> usize {
        let size = task.cache.shape.head_dim;
        let group = task.cache.shape.heads / task.cache.shape.kv_heads;
        let first = task.output.rows().start;
        let cache = task.cache;
        let values = cache.layers[task.layer].values.row(task.head);
        let weights = &scores.cells[vector * scores.width..];
        for chunks in Cuts::every(size / LANES, CHUNKS_MAX).iter() {
            let mut sums = [[simd.splat(0.0); R]; CHUNKS_MAX];
            let table = task.blocks(scores);
            for (i, &block) in table.iter().enumerate() {
                let mut inputs = [&weights[..0]; R];
                for (r, input) in inputs.iter_mut().enumerate() {
                    *input = &weights[r * scores.width + i * BLOCK_TOKENS..][..BLOCK_TOKENS];
                }
                let next = table.get(i + 1).map_or(0, |&next| next as usize * size);
                for (chunk, sums) in chunks.clone().zip(&mut sums) {
                    let at = block as usize * size + chunk * BLOCK_TOKENS;
                    simd.prefetch(&values[next + chunk * BLOCK_TOKENS..][..BLOCK_TOKENS]);
                    let parts = dot_half::<S, HalfBits, R>(simd, &values[at..][..BLOCK_TOKENS], inputs);
                    for r in 0..R {
                        sums[r] = simd.add(sums[r], parts[r]);
                    }
                }
            }
            for (chunk, sums) in chunks.zip(&sums) {
                for (r, &sum) in sums.iter().enumerate() {
                    let row = task.output.row(first + (vector + r) / group);
                    let head = (vector + r) % group;
                    if let Some(to) = row[head * size + chunk * LANES..].first_chunk_mut() {
                        simd.store(sum, to);
                    }
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

//! The CPU backend: the fallback where there is no GPU, and the oracle that other backends are tested against.
//!
//! Every operation is cut into rectangles of its output that the pool's threads compute; an output element is always
//! computed by one thread, in an order of operations that depends on nothing but the element's own inputs.
#![expect(
    clippy::inline_always,
    reason = "kernels must be compiled inside the function that enables their instructions"
)]

mod arena;
mod attention;
mod cache;
mod exponentials;
#[cfg(test)]
mod faults;
mod grid;
mod matmul;
mod norm;
mod packed;
mod plan;
mod pool;
mod quantised;
mod rope;
mod simd;
#[cfg(test)]
mod tests;

pub use cache::Cache;
pub(crate) use exponentials::Exponentials;
#[cfg(test)]
pub(crate) use faults::Faults;
pub use packed::PackedMatrix;

use super::batch::Batch;
use super::sampling::{Sampled, Sampler};
use super::{AttentionWeights, Backend, BackendError, CacheShape, FeedForwardWeights, Norm, StepLimits};
use crate::model::config::ModelConfig;
use crate::model::tensors::{GROUP, Matrix};
use arena::Arena;
use attention::Attention;
use grid::{Cuts, Grid, fill_rows};
use matmul::{Input, Product, Then};
use norm::norm_row;
use packed::PANEL;
use plan::Plan;
use pool::Pool;
use quantised::{Groups, quantise_row};
use rope::Rotate;
pub(crate) use simd::Isa;
use simd::{Kernel, LANES, Simd};
use std::cell::RefCell;
use std::mem;
use std::num::NonZeroUsize;
use std::slice;
use std::sync::OnceLock;

/// Below this many rows a pass over them is quicker on one thread than shared.
const SHARED_ROWS_MIN: usize = 4;
/// Tasks for each thread, so that one that the machine holds up leaves work to the others.
const TASKS_PER_THREAD: usize = 2;

thread_local! {
    /// Scratch of the sampler.
    static SAMPLER: RefCell<Sampler> = RefCell::default();
    /// Scratch of attention.
    static SCORES: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// The processor and its threads.
pub struct Cpu {
    isa: Isa,
    pool: Pool,
    plan: Plan,
    arena: Arena,
    /// Normalised rows of the current operation, and the same quantised.
    normed: Grid<f32>,
    groups: Groups,
    /// Queries, keys and values, `(rows, (heads + 2 kv_heads) * head_dim)`.
    qkv: Grid<f32>,
    /// `(rows, heads * head_dim)`.
    attended: Grid<f32>,
    /// Between the matrices of the feed-forward layer, `(rows, hidden)`.
    hidden: Grid<f32>,
    /// What the last step chose.
    sampled: Vec<Sampled>,
    #[cfg(test)]
    faults: Faults,
}

/// Activation rows.
#[derive(Debug)]
pub struct Buffer(Grid<f32>);

impl Cpu {
    /// The best instructions that this machine has, on this many threads.
    pub fn new(threads: NonZeroUsize) -> Self {
        Self::with_isa(Isa::best(), threads)
    }

    pub(crate) fn with_isa(isa: Isa, threads: NonZeroUsize) -> Self {
        let pool = Pool::new(threads.get());
        Self {
            isa,
            pool,
            plan: Plan::default(),
            arena: Arena::default(),
            normed: Grid::default(),
            groups: Grid::default(),
            qkv: Grid::default(),
            attended: Grid::default(),
            hidden: Grid::default(),
            sampled: Vec::new(),
            #[cfg(test)]
            faults: Faults::default(),
        }
    }

    /// Parts to cut a pass over `rows` rows into.
    fn row_parts(&self, rows: usize) -> usize {
        if rows < SHARED_ROWS_MIN { 1 } else { self.pool.threads() * TASKS_PER_THREAD }
    }

    /// Normalises rows `pick(0)…pick(rows - 1)` of the stream into `normed` and `groups`.
    fn normalise(
        &mut self,
        stream: &Grid<f32>,
        norm: &Norm<Vec<f32>>,
        rows: usize,
        pick: impl Fn(usize) -> usize + Sync,
    ) {
        self.normed.reshape(rows, stream.width());
        self.groups.reshape(rows, stream.width() / GROUP);
        let (isa, parts) = (self.isa, self.row_parts(rows));
        fill_rows(&mut self.pool, parts, &mut self.normed, &mut self.groups, |row, normed, groups| {
            isa.run(Normalise { input: stream.row(pick(row)), norm, normed, groups });
        });
    }

    /// The product of each matrix, side by side in the output, with what [`Cpu::normalise`] left.
    fn products(&mut self, matrices: &[PackedMatrix], then: Then<'_>, output: &mut Grid<f32>) {
        let input = Input { values: &self.normed, groups: &self.groups };
        multiply(self.isa, &mut self.pool, matrices, input, then, output);
    }

    /// From the residual stream to queries, rotated and scaled, and to keys and values, rotated and in the cache.
    fn attention_input(
        &mut self,
        stream: &Grid<f32>,
        weights: &AttentionWeights<Self>,
        qkv: &mut Grid<f32>,
        cache: &mut Cache,
        layer: usize,
    ) {
        let rows = self.plan.rows();
        let parts = self.row_parts(rows);
        qkv.reshape(rows, (cache.shape.heads + 2 * cache.shape.kv_heads) * cache.shape.head_dim);
        self.normalise(stream, &weights.norm, rows, |row| row);
        self.products(&weights.projections, Then::Store, qkv);
        let (isa, plan, shape, rope) = (self.isa, &self.plan, &cache.shape, &cache.rope);
        let (cuts, columns) = (Cuts::even(rows, parts, 1), Cuts::whole(qkv.width()));
        qkv.fill(&mut self.pool, &cuts, &columns, |_, _, mut part| {
            for row in part.rows() {
                let position = plan.position(row);
                isa.run(Rotate { weights, shape, rope, position, qkv: part.row(row) });
            }
        });
        cache.write(&mut self.pool, parts, layer, &self.plan, qkv);
    }

    /// Causal attention of each row over its sequence's cached keys and values.
    fn attend(&mut self, queries: &Grid<f32>, cache: &Cache, layer: usize, output: &mut Grid<f32>) {
        let CacheShape { heads, kv_heads, head_dim, .. } = cache.shape;
        output.reshape(self.plan.rows(), heads * head_dim);
        let columns = Cuts::every(heads * head_dim, heads / kv_heads * head_dim);
        let (isa, plan) = (self.isa, &self.plan);
        output.fill(&mut self.pool, &plan.attention_cuts(), &columns, |_, head, output| {
            SCORES.with_borrow_mut(|scores| {
                isa.run(Attention { plan, cache, layer, head, queries, output, scores });
            });
        });
    }

    /// `stream += matrix · input`.
    fn project(&mut self, input: &Grid<f32>, matrix: &PackedMatrix, stream: &mut Grid<f32>) {
        let (isa, rows) = (self.isa, input.rows());
        let parts = self.row_parts(rows);
        if matrix.is_quantised() {
            self.groups.reshape(rows, input.width() / GROUP);
            let (cuts, columns) = (Cuts::even(rows, parts, 1), Cuts::whole(self.groups.width()));
            self.groups.fill(&mut self.pool, &cuts, &columns, |_, _, mut part| {
                for row in part.rows() {
                    isa.run(Quantise { input: input.row(row), groups: part.row(row) });
                }
            });
        }
        let input = Input { values: input, groups: &self.groups };
        multiply(isa, &mut self.pool, slice::from_ref(matrix), input, Then::Add, stream);
    }
}

/// Writes the product of each matrix, side by side, with the input.
fn multiply(
    isa: Isa,
    pool: &mut Pool,
    matrices: &[PackedMatrix],
    input: Input<'_>,
    then: Then<'_>,
    output: &mut Grid<f32>,
) {
    // Even parts, cut again where a matrix ends.
    let even = Cuts::even(output.width(), pool.threads() * TASKS_PER_THREAD, PANEL);
    let mut bounds: Vec<_> = (0..even.parts()).map(|part| even.range(part).end).chain([0]).collect();
    let mut ends = vec![0];
    for matrix in matrices {
        ends.push(ends[ends.len() - 1] + matrix.rows);
    }
    bounds.extend_from_slice(&ends);
    bounds.sort_unstable();
    bounds.dedup();
    let rows = Cuts::whole(output.rows());
    output.fill(pool, &rows, &Cuts::at(bounds), |_, _, output| {
        let index = ends.partition_point(|&end| end <= output.columns().start) - 1;
        isa.run(Product { matrix: &matrices[index], input, then, first: ends[index], output });
    });
}

/// One row's RMSNorm and quantisation.
struct Normalise<'a> {
    input: &'a [f32],
    norm: &'a Norm<Vec<f32>>,
    normed: &'a mut [f32],
    groups: &'a mut [quantised::Group],
}

impl Kernel for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        norm_row(simd, self.input, &self.norm.weight, self.norm.epsilon, self.normed);
        quantise_row(simd, self.normed, self.groups);
    }
}

/// One row's quantisation.
struct Quantise<'a> {
    input: &'a [f32],
    groups: &'a mut [quantised::Group],
}

impl Kernel for Quantise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        quantise_row(simd, self.input, self.groups);
    }
}

impl Backend for Cpu {
    type Matrix = PackedMatrix;
    type Vector = Vec<f32>;
    type Buffer = Buffer;
    type Cache = Cache;

    fn name(&self) -> String {
        format!("cpu ({}, {} threads)", self.isa, self.pool.threads())
    }

    fn arithmetic(&self) -> String {
        String::from("cpu")
    }

    fn is_asynchronous(&self) -> bool {
        false
    }

    fn matrix(&self, matrix: Matrix) -> Result<PackedMatrix, BackendError> {
        super::check_matrix(&matrix)?;
        PackedMatrix::pack(&matrix, &self.arena)
    }

    fn vector(&self, values: Vec<f32>) -> Result<Vec<f32>, BackendError> {
        Ok(values)
    }

    fn step_bytes(&self, model: &ModelConfig, limits: StepLimits) -> u64 {
        // The normalised rows, as they are and quantised, and the rows between a layer's matrices.
        let widest = model.dim.max(model.query_width()).max(model.hidden);
        let groups = widest / GROUP * size_of::<quantised::Group>();
        let widths = model.dim + 2 * (model.query_width() + model.kv_width()) + model.hidden;
        (limits.tokens * (widths * size_of::<f32>() + groups)) as u64
    }

    fn reserve(&mut self, _: &ModelConfig, _: StepLimits) -> Result<(), BackendError> {
        // Memory that grows with the steps costs nothing before.
        Ok(())
    }

    fn buffer(&self, _: usize, width: usize) -> Result<Buffer, BackendError> {
        Ok(Buffer(Grid::new(0, width)))
    }

    fn cache(&mut self, shape: CacheShape) -> Result<Cache, BackendError> {
        let (value, multiple) = (shape.head_dim, LANES);
        if value == 0 || !value.is_multiple_of(multiple) {
            return Err(BackendError::Multiple { what: "the width of a head", value, multiple });
        }
        Cache::new(shape)
    }

    fn step(&mut self, batch: &Batch<'_>, mut operations: impl FnMut(&mut Self)) -> Result<(), BackendError> {
        #[cfg(test)]
        self.faults.strike()?;
        self.plan.set(batch);
        operations(self);
        Ok(())
    }

    fn embed(&mut self, table: &PackedMatrix, stream: &mut Buffer) {
        stream.0.reshape(self.plan.rows(), table.cols);
        for (row, &token) in self.plan.tokens().iter().enumerate() {
            table.row(token as usize, stream.0.row_mut(row));
        }
    }

    fn attention(
        &mut self,
        weights: &AttentionWeights<Self>,
        cache: &mut Cache,
        layer: usize,
        stream: &mut Buffer,
    ) {
        let (mut qkv, mut attended) = (mem::take(&mut self.qkv), mem::take(&mut self.attended));
        self.attention_input(&stream.0, weights, &mut qkv, cache, layer);
        self.attend(&qkv, cache, layer, &mut attended);
        self.project(&attended, &weights.output, &mut stream.0);
        (self.qkv, self.attended) = (qkv, attended);
    }

    fn feed_forward(&mut self, weights: &FeedForwardWeights<Self>, stream: &mut Buffer) {
        let mut hidden = mem::take(&mut self.hidden);
        hidden.reshape(self.plan.rows(), weights.gate.rows);
        self.normalise(&stream.0, &weights.norm, self.plan.rows(), |row| row);
        self.products(slice::from_ref(&weights.gate), Then::Gate(&weights.up), &mut hidden);
        self.project(&hidden, &weights.down, &mut stream.0);
        self.hidden = hidden;
    }

    fn head(&mut self, stream: &Buffer, norm: &Norm<Vec<f32>>, head: &PackedMatrix, logits: &mut Buffer) {
        let samples = self.plan.samples().to_vec();
        logits.0.reshape(samples.len(), head.rows);
        self.normalise(&stream.0, norm, samples.len(), |row| samples[row]);
        self.products(slice::from_ref(head), Then::Store, &mut logits.0);
    }

    fn sample(&mut self, logits: &Buffer, batch: &Batch<'_>) {
        let (isa, logits) = (self.isa, &logits.0);
        let chosen: Vec<OnceLock<Sampled>> = batch.samples.iter().map(|_| OnceLock::new()).collect();
        self.pool.run(chosen.len(), &|index| {
            let exp = |x: &[f32], shift, scale, to: &mut [f32]| isa.run(Exponentials { x, shift, scale, to });
            let sampled = SAMPLER
                .with_borrow_mut(|sampler| sampler.sample(logits.row(index), &batch.samples[index], &exp));
            chosen[index].get_or_init(|| sampled);
        });
        self.sampled = chosen.into_iter().filter_map(OnceLock::into_inner).collect();
    }

    fn collect(&mut self) -> Result<Vec<Sampled>, BackendError> {
        Ok(mem::take(&mut self.sampled))
    }

    fn read(&self, buffer: &Buffer, rows: usize) -> Result<Vec<f32>, BackendError> {
        Ok(buffer.0.cells()[..rows * buffer.0.width()].to_vec())
    }

    fn copy_block(&mut self, cache: &mut Cache, from: u32, to: u32) -> Result<(), BackendError> {
        cache.copy_block(from, to);
        Ok(())
    }
}

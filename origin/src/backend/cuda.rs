//! The CUDA backend: the kernels of `origin/kernels`, written once over a [`Driver`].
//!
//! A driver is a device with memory and launches. The simulator is one, in which every kernel, and whole models, are
//! tested on machines without a GPU.
//!
//! Activations are f32 between operations. Before a product they are rounded to the 16-bit type that the tensor cores
//! multiply; sums are f32, in an order that depends on the matrix alone.

mod arguments;
mod cache;
mod driver;
mod nvrtc;
mod packed;
mod plan;
mod room;
mod simulator;
mod sources;
mod tests;
mod weights;

pub(crate) use simulator::{Checks, KernelMutation, Simulator};

use super::batch::Batch;
use super::cpu::{Exponentials, Isa};
use super::sampling::{Sampled, Sampler};
use super::{AttentionInput, Backend, BackendError, CacheShape, GatedInput, Norm};
use crate::model::tensors::Matrix;
use arguments::Arguments;
use cache::Cache;
use driver::{Driver, DriverError, Shape};
use plan::Plan;
use room::{Buffer, Room};
use weights::{DeviceMatrix, DeviceVector, Operand};

/// Threads of each kernel's blocks.
const EMBED_THREADS: usize = 128;
const NORMALISE_THREADS: usize = 256;
const ROTATE_THREADS: usize = 128;
const ATTEND_THREADS: usize = 32;
const COMBINE_THREADS: usize = 128;

/// A kernel for products with some number of rows: how it cuts its output into blocks.
#[derive(Debug)]
struct ProductKernel {
    kind: &'static str,
    /// Rows of a block, which its name ends with; it is chosen for up to as many.
    rows: usize,
    outputs: usize,
    threads: usize,
}

const PRODUCT_KERNELS: [ProductKernel; 3] = [
    ProductKernel { kind: "few", rows: 8, outputs: 16, threads: 256 },
    ProductKernel { kind: "few", rows: 32, outputs: 16, threads: 256 },
    ProductKernel { kind: "many", rows: 64, outputs: 64, threads: 128 },
];

/// What becomes of a product; the numbers are those of `origin/kernels/product.cuh`.
#[derive(Debug, Clone, Copy)]
enum Then {
    Store = 0,
    Add = 1,
    Gate = 2,
}

/// A product's part of the output's rows.
#[derive(Clone, Copy)]
struct Part {
    /// Address of the first output of the first row.
    address: u64,
    /// Outputs of a whole row.
    stride: usize,
    then: Then,
}

/// A device and what a step keeps on it.
pub(crate) struct Cuda<D: Driver> {
    driver: D,
    plan: Plan<D>,
    /// The rows that a product multiplies, in its operand's type.
    operand: Room<D>,
    /// Attention of contexts that are split.
    parts: Room<D>,
    /// The step's first failure, after which its operations do nothing.
    failure: Option<DriverError>,
    isa: Isa,
    sampler: Sampler,
}

impl<D: Driver> Cuda<D> {
    /// The backend on a device.
    pub(crate) fn new(driver: D) -> Self {
        Self {
            driver,
            plan: Plan::default(),
            operand: Room::default(),
            parts: Room::default(),
            failure: None,
            isa: Isa::best(),
            sampler: Sampler::default(),
        }
    }

    /// Runs an operation unless one before it has failed.
    fn attempt(&mut self, operation: impl FnOnce(&mut Self) -> Result<(), DriverError>) {
        if self.failure.is_none() {
            self.failure = operation(self).err();
        }
    }

    /// Normalises rows of the stream into the operand: all, or those listed at an address.
    fn normalise(
        &mut self,
        stream: &Buffer<D>,
        rows: usize,
        listed: u64,
        norm: &Norm<DeviceVector<D>>,
        operand: Operand,
    ) -> Result<(), DriverError> {
        let to = self.operand.hold(&self.driver, rows * stream.width * 2)?;
        let arguments = Arguments::new()
            .pointer(stream.address())
            .pointer(listed)
            .pointer(norm.weight.address())
            .pointer(D::address(to))
            .int(stream.width)
            .float(norm.epsilon);
        let kernel = format!("normalise_{}", operand.suffix());
        self.driver.launch(&kernel, Shape::new([rows, 1, 1], NORMALISE_THREADS), &arguments)
    }

    /// Rounds rows into the operand.
    fn narrow(&mut self, input: &Buffer<D>, operand: Operand) -> Result<(), DriverError> {
        let count = input.rows * input.width;
        let to = self.operand.hold(&self.driver, count * 2)?;
        let arguments = Arguments::new().pointer(input.address()).pointer(D::address(to)).int(count);
        let kernel = format!("narrow_{}", operand.suffix());
        let blocks = count.div_ceil(NORMALISE_THREADS);
        self.driver.launch(&kernel, Shape::new([blocks, 1, 1], NORMALISE_THREADS), &arguments)
    }

    /// The product of a matrix with the operand's rows.
    fn multiply(&self, matrix: &DeviceMatrix<D>, rows: usize, part: Part) -> Result<(), DriverError> {
        let last = &PRODUCT_KERNELS[PRODUCT_KERNELS.len() - 1];
        let kernel = PRODUCT_KERNELS.iter().find(|kernel| rows <= kernel.rows).unwrap_or(last);
        self.multiply_by(kernel, matrix, rows, part)
    }

    /// The same by a kernel that is named; whichever it is, the result has the same bits.
    fn multiply_by(
        &self,
        kernel: &ProductKernel,
        matrix: &DeviceMatrix<D>,
        rows: usize,
        part: Part,
    ) -> Result<(), DriverError> {
        let [data, scales] = matrix.addresses();
        let arguments = Arguments::new()
            .pointer(data)
            .pointer(scales)
            .pointer(self.operand.address())
            .pointer(part.address)
            .int(rows)
            .int(matrix.cols)
            .int(matrix.rows)
            .int(part.stride)
            .int(part.then as usize);
        let grid = [matrix.rows.div_ceil(kernel.outputs), rows.div_ceil(kernel.rows), 1];
        let name = format!("product_{}_{}_{}", kernel.kind, matrix.format.suffix(), kernel.rows);
        self.driver.launch(&name, Shape::new(grid, kernel.threads), &arguments)
    }

    /// The products of several matrices with the same normalised rows; matrices of different formats may take them in
    /// different types.
    fn multiply_normalised<'a>(
        &mut self,
        stream: &Buffer<D>,
        norm: &Norm<DeviceVector<D>>,
        products: impl IntoIterator<Item = (&'a DeviceMatrix<D>, Part)>,
    ) -> Result<(), DriverError>
    where
        D: 'a,
    {
        let rows = self.plan.rows();
        let mut operand = None;
        for (matrix, part) in products {
            if operand != Some(matrix.operand()) {
                self.normalise(stream, rows, 0, norm, matrix.operand())?;
                operand = Some(matrix.operand());
            }
            self.multiply(matrix, rows, part)?;
        }
        Ok(())
    }

    /// Biases, head norms, rotation, and the way of keys and values into the cache.
    fn rotate(
        &self,
        qkv: &Buffer<D>,
        weights: &AttentionInput<Self>,
        cache: &Cache<D>,
        layer: usize,
    ) -> Result<(), DriverError> {
        let biases =
            weights.bias.as_ref().map_or([0; 3], |biases| biases.each_ref().map(DeviceVector::address));
        let norms = weights.head_norms.as_ref();
        let norm = |index: usize| {
            norms.map_or((0, 0.0), |norms| (norms[index].weight.address(), norms[index].epsilon))
        };
        let [(query_norm, query_epsilon), (key_norm, key_epsilon)] = [norm(0), norm(1)];
        let arguments = biases.into_iter().fold(Arguments::new().pointer(qkv.address()), Arguments::pointer);
        let arguments =
            arguments.pointer(query_norm).pointer(key_norm).float(query_epsilon).float(key_epsilon);
        let [keys, values] = cache.layer(layer);
        let tables =
            [cache.cosines.address(), cache.sines.address(), self.plan.positions(), self.plan.slots()];
        let arguments = tables.into_iter().chain([keys, values]).fold(arguments, Arguments::pointer);
        let shape = &cache.shape;
        let arguments = arguments.int(shape.heads).int(shape.kv_heads).int(shape.head_dim);
        self.driver.launch("rotate", Shape::new([self.plan.rows(), 1, 1], ROTATE_THREADS), &arguments)
    }

    /// Attention of every row over its sequence's cached keys and values.
    fn attend(
        &mut self,
        qkv: &Buffer<D>,
        cache: &Cache<D>,
        layer: usize,
        output: u64,
    ) -> Result<(), DriverError> {
        let CacheShape { heads, kv_heads, head_dim, .. } = cache.shape;
        let tables = self.plan.tables();
        let tiles = self.plan.tiles(&self.driver, heads / kv_heads, kv_heads)?;
        let [keys, values] = cache.layer(layer);
        let launch = |tiles_at, parts: u64, vectors, grid| {
            let addresses = [qkv.address(), keys, values, tables, tiles_at, output, parts];
            let arguments = addresses.into_iter().fold(Arguments::new(), Arguments::pointer);
            let arguments = arguments.int(vectors).int(heads).int(kv_heads);
            self.driver.launch(&format!("attend_{head_dim}"), Shape::new(grid, ATTEND_THREADS), &arguments)
        };
        let (whole, whole_at) = tiles.whole();
        if whole > 0 {
            launch(whole_at, 0, 0, [whole, kv_heads, 1])?;
        }
        let (split, split_at) = tiles.split();
        if split > 0 {
            let (splits, vectors) = (tiles.splits, tiles.vectors);
            let floats = split * kv_heads * splits * vectors * (head_dim + 2);
            let parts = D::address(self.parts.hold(&self.driver, floats * size_of::<f32>())?);
            launch(split_at, parts, vectors, [split, kv_heads, splits])?;
            let arguments = Arguments::new().pointer(split_at).pointer(parts).pointer(output);
            let arguments = arguments.int(vectors).int(splits).int(heads).int(kv_heads);
            let shape = Shape::new([split, kv_heads, 1], COMBINE_THREADS);
            self.driver.launch(&format!("combine_{head_dim}"), shape, &arguments)?;
        }
        Ok(())
    }
}

impl<D: Driver> Backend for Cuda<D> {
    type Matrix = DeviceMatrix<D>;
    type Vector = DeviceVector<D>;
    type Buffer = Buffer<D>;
    type Cache = Cache<D>;

    fn name(&self) -> String {
        format!("cuda ({})", self.driver.name())
    }

    fn matrix(&self, matrix: Matrix) -> Result<DeviceMatrix<D>, BackendError> {
        super::check_matrix(&matrix)?;
        Ok(DeviceMatrix::new(&self.driver, &matrix)?)
    }

    fn vector(&self, values: Vec<f32>) -> Result<DeviceVector<D>, BackendError> {
        Ok(DeviceVector::new(&self.driver, &values)?)
    }

    fn buffer(&self, width: usize) -> Result<Buffer<D>, BackendError> {
        Ok(Buffer::new(width))
    }

    fn cache(&self, shape: CacheShape) -> Result<Cache<D>, BackendError> {
        Cache::new(&self.driver, shape)
    }

    fn step(&mut self, batch: &Batch<'_>, operations: impl FnOnce(&mut Self)) -> Result<(), BackendError> {
        self.failure = self.plan.set(&self.driver, batch).err();
        operations(self);
        self.failure.take().map_or(Ok(()), |failure| Err(failure.into()))
    }

    fn embed(&mut self, table: &DeviceMatrix<D>, stream: &mut Buffer<D>) {
        self.attempt(|cuda| {
            let rows = cuda.plan.rows();
            stream.reshape(&cuda.driver, rows, table.cols)?;
            let [data, scales] = table.addresses();
            let addresses = [data, scales, cuda.plan.tokens(), stream.address()];
            let arguments = addresses.into_iter().fold(Arguments::new(), Arguments::pointer).int(table.cols);
            let kernel = format!("embed_{}", table.format.suffix());
            cuda.driver.launch(&kernel, Shape::new([rows, 1, 1], EMBED_THREADS), &arguments)
        });
    }

    fn attention_input(
        &mut self,
        stream: &Buffer<D>,
        weights: &AttentionInput<Self>,
        qkv: &mut Buffer<D>,
        cache: &mut Cache<D>,
        layer: usize,
    ) {
        self.attempt(|cuda| {
            let CacheShape { heads, kv_heads, head_dim, .. } = cache.shape;
            let stride = (heads + 2 * kv_heads) * head_dim;
            qkv.reshape(&cuda.driver, cuda.plan.rows(), stride)?;
            let firsts = [0, heads, heads + kv_heads].map(|head| head * head_dim * size_of::<f32>());
            let parts = firsts.map(|first| {
                let address = qkv.address() + first as u64;
                Part { address, stride, then: Then::Store }
            });
            cuda.multiply_normalised(stream, &weights.norm, weights.projections.iter().zip(parts))?;
            cuda.rotate(qkv, weights, cache, layer)
        });
    }

    fn attention(&mut self, queries: &Buffer<D>, cache: &Cache<D>, layer: usize, output: &mut Buffer<D>) {
        self.attempt(|cuda| {
            let width = cache.shape.heads * cache.shape.head_dim;
            output.reshape(&cuda.driver, cuda.plan.rows(), width)?;
            cuda.attend(queries, cache, layer, output.address())
        });
    }

    fn project(&mut self, input: &Buffer<D>, matrix: &DeviceMatrix<D>, stream: &mut Buffer<D>) {
        self.attempt(|cuda| {
            cuda.narrow(input, matrix.operand())?;
            let part = Part { address: stream.address(), stride: stream.width, then: Then::Add };
            cuda.multiply(matrix, input.rows, part)
        });
    }

    fn gated(&mut self, stream: &Buffer<D>, weights: &GatedInput<Self>, hidden: &mut Buffer<D>) {
        self.attempt(|cuda| {
            hidden.reshape(&cuda.driver, cuda.plan.rows(), weights.gate.rows)?;
            let part = |then| Part { address: hidden.address(), stride: hidden.width, then };
            let products = [(&weights.gate, part(Then::Store)), (&weights.up, part(Then::Gate))];
            cuda.multiply_normalised(stream, &weights.norm, products)
        });
    }

    fn head(
        &mut self,
        stream: &Buffer<D>,
        norm: &Norm<DeviceVector<D>>,
        head: &DeviceMatrix<D>,
        logits: &mut Buffer<D>,
    ) {
        self.attempt(|cuda| {
            let samples = cuda.plan.samples();
            logits.reshape(&cuda.driver, samples, head.rows)?;
            if samples == 0 {
                return Ok(());
            }
            cuda.normalise(stream, samples, cuda.plan.sample_rows(), norm, head.operand())?;
            let part = Part { address: logits.address(), stride: head.rows, then: Then::Store };
            cuda.multiply(head, samples, part)
        });
    }

    fn sample(&mut self, logits: &Buffer<D>, batch: &Batch<'_>) -> Result<Vec<Sampled>, BackendError> {
        let values = logits.values(&self.driver)?;
        let isa = self.isa;
        let exp = |x: &[f32], shift, scale, to: &mut [f32]| isa.run(Exponentials { x, shift, scale, to });
        let rows = values.chunks_exact(logits.width).zip(batch.samples);
        Ok(rows.map(|(logits, row)| self.sampler.sample(logits, row, &exp)).collect())
    }

    fn read(&self, buffer: &Buffer<D>) -> Result<Vec<f32>, BackendError> {
        Ok(buffer.values(&self.driver)?)
    }

    fn copy_block(&mut self, cache: &mut Cache<D>, from: u32, to: u32) -> Result<(), BackendError> {
        Ok(cache.copy_block(&self.driver, from, to)?)
    }
}

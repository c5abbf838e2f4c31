//! The CUDA backend: the kernels of `origin/kernels`, written once over a [`Driver`].
//!
//! A driver is a device with memory and launches. The simulator is one, in which every kernel, and whole models, are
//! tested on machines without a GPU.
//!
//! Activations are f32 between operations. Before a product they are rounded to the 16-bit type that the tensor cores
//! multiply; sums are f32, in an order that depends on the matrix alone.

mod arguments;
mod cache;
mod cubins;
mod driver;
mod gpu;
mod nvrtc;
mod operations;
mod packed;
mod plan;
mod room;
mod sampling;
#[cfg(test)]
mod simulator;
mod sources;
#[cfg(test)]
mod tests;
mod weights;

pub(crate) use gpu::Gpu;
pub use gpu::GpuAbsence;
#[cfg(test)]
pub(crate) use simulator::{Checks, KernelMutation, Simulator};

use super::batch::Batch;
use super::sampling::Sampled;
use super::{AttentionInput, Backend, BackendError, CacheShape, GatedInput, Norm};
use crate::model::tensors::Matrix;
use cache::Cache;
use driver::{Driver, DriverError};
use operations::{Part, Then};
use plan::Plan;
use room::{Buffer, Room};
use sampling::DeviceSampler;
use weights::{DeviceMatrix, DeviceVector};

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
    sampler: DeviceSampler<D>,
}

impl Cuda<Gpu> {
    /// The backend on a GPU of this machine.
    pub(crate) fn open(ordinal: usize) -> Result<Self, GpuAbsence> {
        Gpu::open(ordinal).map(Self::new)
    }

    /// Bytes of the GPU's memory.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.driver.memory_bytes()
    }
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
            sampler: DeviceSampler::default(),
        }
    }

    /// Runs an operation unless one before it has failed.
    fn attempt(&mut self, operation: impl FnOnce(&mut Self) -> Result<(), DriverError>) {
        if self.failure.is_none() {
            self.failure = operation(self).err();
        }
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

    fn arithmetic(&self) -> &'static str {
        "cuda"
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
            stream.reshape(&cuda.driver, cuda.plan.rows(), table.cols)?;
            cuda.look_up(table, stream.address())
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
        Ok(self.sampler.sample(&self.driver, logits, batch)?)
    }

    fn read(&self, buffer: &Buffer<D>) -> Result<Vec<f32>, BackendError> {
        Ok(buffer.values(&self.driver)?)
    }

    fn copy_block(&mut self, cache: &mut Cache<D>, from: u32, to: u32) -> Result<(), BackendError> {
        Ok(cache.copy_block(&self.driver, from, to)?)
    }
}

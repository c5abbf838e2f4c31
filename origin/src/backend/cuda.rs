//! The CUDA backend: the kernels of `origin/kernels`, written once over a [`Driver`].
//!
//! A driver is a device with memory and launches. The simulator is one, in which every kernel, and whole models, are
//! tested on machines without a GPU.
//!
//! Activations are f32 between operations. Before a product they are rounded to the 16-bit type that the tensor cores
//! multiply; sums are f32, in an order that depends on the matrix alone.

mod architecture;
mod arguments;
mod bucket;
mod cache;
mod cases;
mod compilation;
mod cubins;
mod driver;
mod gpu;
mod graphs;
mod nvrtc;
mod operations;
mod packed;
mod plan;
mod reservation;
mod room;
mod sampling;
#[cfg(test)]
mod simulator;
mod sources;
#[cfg(test)]
mod tests;
mod tiles;
mod trial;
mod weights;

pub(crate) use gpu::Gpu;
pub use gpu::GpuAbsence;
#[cfg(test)]
pub(crate) use simulator::{Checks, KernelMutation, Simulator};
pub use trial::Trial;
pub(crate) use trial::trials;

use super::batch::Batch;
use super::sampling::Sampled;
use super::{AttentionInput, Backend, BackendError, CacheShape, DeviceMemory, GatedInput, Norm, StepLimits};
use crate::model::config::ModelConfig;
use crate::model::tensors::Matrix;
use bucket::Bucket;
use cache::Cache;
use driver::{Driver, DriverError};
use graphs::{GRAPHS_MAX, Graphs};
use operations::{Part, Then};
use plan::Plan;
use reservation::Reservation;
use room::{Buffer, Room};
use sampling::DeviceSampler;
use std::thread;
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
    /// Steps that were recorded; none where steps are launched kernel by kernel.
    graphs: Option<Graphs<D::Graph>>,
    /// Samples of the step that runs.
    sampled: usize,
}

impl Cuda<Gpu> {
    /// The backend on each of these GPUs.
    pub(crate) fn open(ordinals: &[usize]) -> Result<Vec<Self>, GpuAbsence> {
        let gpus = open_each(ordinals).into_iter().collect::<Result<Vec<_>, _>>()?;
        let first = &gpus[0];
        match gpus.iter().find(|gpu| gpu.capability() != first.capability()) {
            Some(other) => Err(GpuAbsence::Kinds { first: first.name(), other: other.name() }),
            None => Ok(gpus.into_iter().map(Self::new).collect()),
        }
    }

    /// The backend on every GPU that can be used and is of the first one's kind.
    pub(crate) fn open_all() -> Result<Vec<Self>, GpuAbsence> {
        let count = Gpu::count()?;
        let (mut gpus, mut absence) = (Vec::<Gpu>::new(), GpuAbsence::Device { ordinal: 0, count });
        for (ordinal, opened) in open_each(&(0..count).collect::<Vec<_>>()).into_iter().enumerate() {
            match opened {
                Ok(gpu) if gpus.first().is_none_or(|first| first.capability() == gpu.capability()) => {
                    gpus.push(gpu);
                }
                Ok(gpu) => tracing::warn!(
                    ordinal,
                    name = gpu.name(),
                    "a GPU of another kind than the first is not used"
                ),
                Err(reason) => {
                    tracing::warn!(ordinal, %reason, "a GPU cannot be used");
                    absence = reason;
                }
            }
        }
        if gpus.is_empty() { Err(absence) } else { Ok(gpus.into_iter().map(Self::new).collect()) }
    }

    /// The backend on a GPU that has failed and of which nothing is in use any more.
    pub(crate) fn reopen(ordinal: usize) -> Result<Self, GpuAbsence> {
        if let Err(error) = Gpu::reset(ordinal) {
            // Opening it tells whether it can be used all the same.
            tracing::warn!(ordinal, %error, "a device that has failed could not be reset");
        }
        Gpu::open(ordinal).map(Self::new)
    }

    /// Which of the driver's devices it is on.
    pub(crate) fn ordinal(&self) -> usize {
        self.driver.ordinal()
    }

    /// The GPU's memory before anything was allocated.
    pub(crate) fn memory(&self) -> DeviceMemory {
        self.driver.memory()
    }
}

/// Opens GPUs side by side.
fn open_each(ordinals: &[usize]) -> Vec<Result<Gpu, GpuAbsence>> {
    thread::scope(|scope| {
        let opened: Vec<_> =
            ordinals.iter().map(|&ordinal| scope.spawn(move || Gpu::open(ordinal))).collect();
        opened.into_iter().map(|opened| opened.join().expect("opening does not panic")).collect()
    })
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
            graphs: Some(Graphs::up_to(GRAPHS_MAX)),
            sampled: 0,
        }
    }

    /// The same, which launches every step kernel by kernel and pads none: what steps with graphs are compared with.
    pub(crate) fn without_graphs(mut self) -> Self {
        self.graphs = None;
        self
    }

    /// How many steps were recorded.
    #[cfg(test)]
    pub(crate) fn recorded(&self) -> usize {
        self.graphs.as_ref().map_or(0, Graphs::len)
    }

    /// Puts other memory in the place of the operands.
    #[cfg(test)]
    pub(crate) fn move_operand(&mut self) {
        self.operand = Room::default();
        self.operand.hold(&self.driver, 1 << 20).expect("memory");
    }

    /// Launches a step's operations.
    fn launch(&mut self, operations: &mut impl FnMut(&mut Self)) -> Result<(), DriverError> {
        self.failure = None;
        operations(self);
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Runs a step: as it was recorded, where steps of its bucket were.
    fn run(
        &mut self,
        bucket: Option<Bucket>,
        operations: &mut impl FnMut(&mut Self),
    ) -> Result<(), DriverError> {
        let Some((bucket, graphs)) = bucket.zip(self.graphs.as_ref()) else {
            return self.launch(operations);
        };
        if let Some(graph) = graphs.get(bucket) {
            return self.driver.replay(graph);
        }
        let may_record = graphs.has_room();
        // A bucket's first step is launched as any other, which loads its kernels; it is recorded while the device runs it.
        self.launch(operations)?;
        if may_record {
            self.record(bucket, operations)?;
        }
        Ok(())
    }

    fn record(&mut self, bucket: Bucket, operations: &mut impl FnMut(&mut Self)) -> Result<(), DriverError> {
        self.driver.begin_recording()?;
        let launched = self.launch(operations);
        // Where a launch was refused the recording ends all the same.
        let graph = self.driver.end_recording();
        launched?;
        if let Some(graphs) = &mut self.graphs {
            graphs.insert(bucket, graph?);
        }
        Ok(())
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

    fn arithmetic(&self) -> String {
        self.driver.arithmetic()
    }

    fn is_asynchronous(&self) -> bool {
        true
    }

    fn matrix(&self, matrix: Matrix) -> Result<DeviceMatrix<D>, BackendError> {
        super::check_matrix(&matrix)?;
        Ok(DeviceMatrix::new(&self.driver, &matrix)?)
    }

    fn vector(&self, values: Vec<f32>) -> Result<DeviceVector<D>, BackendError> {
        Ok(DeviceVector::new(&self.driver, &values)?)
    }

    fn step_bytes(&self, model: &ModelConfig, limits: StepLimits) -> u64 {
        Reservation::new(model, limits).bytes()
    }

    fn reserve(&mut self, model: &ModelConfig, limits: StepLimits) -> Result<(), BackendError> {
        if self.graphs.is_some() {
            self.plan.pad_to(limits);
        }
        Ok(self.set_aside(Reservation::new(model, limits))?)
    }

    fn buffer(&self, rows: usize, width: usize) -> Result<Buffer<D>, BackendError> {
        Ok(Buffer::new(&self.driver, rows, width).map_err(|error| error.meant_for("activations"))?)
    }

    fn cache(&mut self, shape: CacheShape) -> Result<Cache<D>, BackendError> {
        self.plan.attend_to(&shape);
        Cache::new(&self.driver, shape, self.plan.spare_blocks())
    }

    fn step(&mut self, batch: &Batch<'_>, mut operations: impl FnMut(&mut Self)) -> Result<(), BackendError> {
        self.sampled = batch.samples.len();
        let bucket = self.plan.set(&self.driver, batch)?;
        self.run(bucket, &mut operations)?;
        Ok(self.sampler.fetch(&self.driver, self.plan.samples())?)
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

    fn sample(&mut self, logits: &Buffer<D>, _: &Batch<'_>) {
        self.attempt(|cuda| cuda.sampler.sample(&cuda.driver, &cuda.plan, logits));
    }

    fn collect(&mut self) -> Result<Vec<Sampled>, BackendError> {
        Ok(self.sampler.collect(&self.driver, self.plan.samples(), self.sampled)?)
    }

    fn read(&self, buffer: &Buffer<D>, rows: usize) -> Result<Vec<f32>, BackendError> {
        Ok(buffer.values(&self.driver, rows)?)
    }

    fn copy_block(&mut self, cache: &mut Cache<D>, from: u32, to: u32) -> Result<(), BackendError> {
        Ok(cache.copy_block(&self.driver, from, to)?)
    }
}

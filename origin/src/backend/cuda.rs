//! The CUDA backend: the kernels of `origin/kernels`, written once over a [`Driver`].
//!
//! A driver is a device with memory and launches. The simulator is one, in which every kernel, and whole models, are
//! tested on machines without a GPU.
//!
//! The residual stream is f32. What a product multiplies is rounded to the 16-bit type that the tensor cores take, by the
//! launch that computes it; sums are f32, in an order that depends on the matrix alone.

mod architecture;
mod arguments;
mod attention;
mod bucket;
mod cache;
mod cases;
mod compilation;
mod cubins;
mod driver;
mod gpu;
mod graphs;
mod measure;
mod noted;
mod nvrtc;
mod operations;
mod packed;
mod plan;
mod product;
mod reservation;
mod room;
mod sampling;
mod scratch;
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
pub(crate) use measure::{Extent, Stopwatch};
pub(crate) use noted::{Group, Noted};
#[cfg(test)]
pub(crate) use simulator::{Checks, KernelMutation, Simulator};
pub use trial::Trial;
pub(crate) use trial::trials;

use super::batch::Batch;
use super::sampling::Sampled;
use super::{
    AttentionWeights, Backend, BackendError, CacheShape, DeviceMemory, FeedForwardWeights, Norm, StepLimits,
};
use crate::model::config::ModelConfig;
use crate::model::tensors::Matrix;
use bucket::Bucket;
use cache::Cache;
pub(crate) use driver::{Driver, DriverError};
use graphs::{GRAPHS_MAX, Graphs};
use plan::Plan;
use product::{Part, Stream, Then};
use reservation::Reservation;
use room::Buffer;
use sampling::DeviceSampler;
use scratch::Scratch;
use std::thread;
use weights::{DeviceMatrix, DeviceVector};

/// A device and what a step keeps on it.
pub(crate) struct Cuda<D: Driver> {
    driver: D,
    plan: Plan<D>,
    scratch: Scratch<D>,
    /// The step's first failure, after which its operations do nothing.
    failure: Option<DriverError>,
    sampler: DeviceSampler<D>,
    /// Steps that were recorded; none where steps are launched kernel by kernel.
    graphs: Option<Graphs<D::Graph>>,
    /// Samples of the step that runs.
    sampled: usize,
    /// Whether weights are made up on the device.
    makes_up_weights: bool,
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
            scratch: Scratch::default(),
            failure: None,
            sampler: DeviceSampler::default(),
            graphs: Some(Graphs::up_to(GRAPHS_MAX)),
            sampled: 0,
            makes_up_weights: false,
        }
    }

    /// The same, which launches every step kernel by kernel and pads none: what steps with graphs are compared with.
    pub(crate) fn without_graphs(mut self) -> Self {
        self.graphs = None;
        self
    }

    /// The same, which takes over no weights but makes up some of the same shape, for measurements: those of a large model
    /// need not be made, packed and copied then.
    pub(crate) fn with_made_up_weights(mut self) -> Self {
        self.makes_up_weights = true;
        self
    }

    /// How many steps were recorded.
    #[cfg(test)]
    pub(crate) fn recorded(&self) -> usize {
        self.graphs.as_ref().map_or(0, Graphs::len)
    }

    /// Puts other memory in the place of what attention gives.
    #[cfg(test)]
    pub(crate) fn move_attended(&mut self) {
        self.scratch.attended = room::Room::default();
        self.scratch.attended.hold(&self.driver, 1 << 20).expect("memory");
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
        let take = if self.makes_up_weights { DeviceMatrix::made_up } else { DeviceMatrix::new };
        Ok(take(&self.driver, &matrix)?)
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
        Cache::new(&self.driver, shape)
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

    fn attention(
        &mut self,
        weights: &AttentionWeights<Self>,
        cache: &mut Cache<D>,
        layer: usize,
        stream: &mut Buffer<D>,
    ) {
        self.attempt(|cuda| {
            cuda.project(stream, weights, &cache.shape)?;
            cuda.attend(weights, cache, layer)?;
            cuda.add(&weights.output, cuda.scratch.attended.address(), stream)
        });
    }

    fn feed_forward(&mut self, weights: &FeedForwardWeights<Self>, stream: &mut Buffer<D>) {
        self.attempt(|cuda| {
            cuda.gate(stream, weights)?;
            cuda.add(&weights.down, cuda.scratch.hidden.address(), stream)
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
            let stream = Stream { values: stream.address(), listed: cuda.plan.sample_rows(), norm };
            let part = Part { values: logits.address(), operand: 0, stride: head.rows, then: Then::Store };
            cuda.multiply_normalised(&stream, samples, [(&[head][..], part)])
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

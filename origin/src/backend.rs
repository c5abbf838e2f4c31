//! What runs a model's operations: the CPU now, CUDA later.

pub mod batch;
pub mod cpu;
pub mod cuda;
mod rope;
pub mod sampling;

use crate::model::config::{ModelConfig, Rope};
use crate::model::tensors::{GROUP, Matrix, MatrixData};
use batch::Batch;
use sampling::Sampled;

/// A device and its operations on a model of the Llama family: what the graph in [`crate::model::llama`] is written
/// in, and no more. Operations read the batch of the step that they run in.
///
/// A sequence's results depend neither on the other sequences of the batch nor on how its prompt is cut into steps.
pub trait Backend: Send {
    /// A weight matrix in the device's own layout.
    type Matrix: Send;
    /// A vector of f32 weights.
    type Vector: Send;
    /// A row of f32 activations for each token of a step.
    type Buffer: Send;
    /// The paged keys and values of all layers.
    type Cache: Send;

    /// What it is, for logs: device, instructions, threads.
    fn name(&self) -> String;
    /// The way it computes, in words: with the same weights, backends of the same arithmetic choose the same tokens.
    fn arithmetic(&self) -> String;
    /// Takes over a weight matrix.
    fn matrix(&self, matrix: Matrix) -> Result<Self::Matrix, BackendError>;
    /// Takes over a vector.
    fn vector(&self, values: Vec<f32>) -> Result<Self::Vector, BackendError>;
    /// Bytes that a model's steps take beside weights, buffers and cache.
    fn step_bytes(&self, model: &ModelConfig, limits: StepLimits) -> u64;
    /// Sets them aside, before any buffer and the cache are asked for.
    fn reserve(&mut self, model: &ModelConfig, limits: StepLimits) -> Result<(), BackendError>;
    /// Room for up to `rows` activation rows of `width` elements.
    fn buffer(&self, rows: usize, width: usize) -> Result<Self::Buffer, BackendError>;
    /// Room for the keys and values that the coming steps attend to.
    fn cache(&mut self, shape: CacheShape) -> Result<Self::Cache, BackendError>;

    /// Whether steps go on by themselves when [`Backend::step`] has returned.
    fn is_asynchronous(&self) -> bool;
    /// Runs the operations of one step over `batch`, or begins to. The sequence of
    /// operations is the same for every step of a model, so a device may record it, asking for it once more, and replay
    /// it. After an operation that fails the others do nothing; its error comes back from here.
    fn step(&mut self, batch: &Batch<'_>, operations: impl FnMut(&mut Self)) -> Result<(), BackendError>;
    /// `stream = table[token]` for each token.
    fn embed(&mut self, table: &Self::Matrix, stream: &mut Self::Buffer);
    /// `stream += output · attention(queries, keys, values)`, all three products of the normalised stream. Queries and
    /// keys are rotated, keys and values written to the cache at each token's slot, and each token attends to its
    /// sequence's cached positions up to its own.
    fn attention(
        &mut self,
        weights: &AttentionWeights<Self>,
        cache: &mut Self::Cache,
        layer: usize,
        stream: &mut Self::Buffer,
    );
    /// `stream += down · (SiLU(gate · norm(stream)) * (up · norm(stream)))`.
    fn feed_forward(&mut self, weights: &FeedForwardWeights<Self>, stream: &mut Self::Buffer);
    /// Logits of the batch's sample rows: `logits[i] = head · norm(stream[samples[i].row])`.
    fn head(
        &mut self,
        stream: &Self::Buffer,
        norm: &Norm<Self::Vector>,
        head: &Self::Matrix,
        logits: &mut Self::Buffer,
    );

    /// Chooses a token for each of the batch's sample rows.
    fn sample(&mut self, logits: &Self::Buffer, batch: &Batch<'_>);

    /// Waits until the last step is over; the tokens that it chose.
    fn collect(&mut self) -> Result<Vec<Sampled>, BackendError>;
    /// The buffer's first rows in host memory.
    fn read(&self, buffer: &Self::Buffer, rows: usize) -> Result<Vec<f32>, BackendError>;
    /// Copies one block's keys and values in every layer.
    fn copy_block(&mut self, cache: &mut Self::Cache, from: u32, to: u32) -> Result<(), BackendError>;
}

/// RMSNorm: `weight * x / sqrt(mean(x²) + epsilon)`.
#[derive(Debug)]
pub struct Norm<V> {
    /// `(width)`.
    pub weight: V,
    /// Added to the mean square.
    pub epsilon: f32,
}

/// The weights of [`Backend::attention`].
pub struct AttentionWeights<B: Backend + ?Sized> {
    /// Before the projections, `(dim)`.
    pub norm: Norm<B::Vector>,
    /// Query, key and value one below the other, `((heads + 2 kv_heads) * head_dim, dim)`, in as many matrices as
    /// their formats ask for.
    pub projections: Vec<B::Matrix>,
    /// Added to queries, keys and values.
    pub bias: Option<[B::Vector; 3]>,
    /// Over each query head and each key head, `(head_dim)`.
    pub head_norms: Option<[Norm<B::Vector>; 2]>,
    /// `(dim, heads * head_dim)`.
    pub output: B::Matrix,
}

/// The weights of [`Backend::feed_forward`].
pub struct FeedForwardWeights<B: Backend + ?Sized> {
    /// Before the projections, `(dim)`.
    pub norm: Norm<B::Vector>,
    /// `(hidden, dim)`.
    pub gate: B::Matrix,
    /// `(hidden, dim)`.
    pub up: B::Matrix,
    /// `(dim, hidden)`.
    pub down: B::Matrix,
}

/// The largest step of a model, by which devices set memory aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepLimits {
    /// Tokens.
    pub tokens: usize,
    /// Sequences, and rows that are sampled from.
    pub sequences: usize,
    /// Positions that a sequence may reach, in tokens.
    pub context: usize,
}

impl StepLimits {
    /// Rows of activations: steps of a few tokens may be padded to their sequences.
    pub fn rows_max(self) -> usize {
        self.tokens.max(self.sequences)
    }
}

/// A device's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceMemory {
    /// All bytes.
    pub total: u64,
    /// Bytes that nobody has.
    pub free: u64,
}

/// The shape of a KV cache and of the attention over it.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheShape {
    /// Transformer layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Blocks of [`batch::BLOCK_TOKENS`] tokens.
    pub blocks: usize,
    /// Positions that a sequence may reach, in tokens.
    pub context_max: usize,
    /// How queries and keys are rotated.
    pub rope: Rope,
}

/// A model that a backend cannot take over, or a device that fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// A matrix whose data does not fill its shape.
    #[error("a matrix of {rows} × {cols} came with data of another size")]
    DataSize {
        /// Outputs.
        rows: usize,
        /// Inputs.
        cols: usize,
    },
    /// A width that the kernels cannot cut into vectors.
    #[error("{what} is {value}, which is not a positive multiple of {multiple}")]
    Multiple {
        /// What has the width.
        what: &'static str,
        /// The width.
        value: usize,
        /// What it must be a multiple of.
        multiple: usize,
    },
    /// A width that no kernel is made for.
    #[error("{what} is {value}; this device supports {choices:?}")]
    Choice {
        /// What has the width.
        what: &'static str,
        /// The width.
        value: usize,
        /// What it may be.
        choices: &'static [usize],
    },
    /// A device without memory for what it was asked for; it goes on working.
    #[error("{reason}")]
    DeviceMemory {
        /// The device, what it was asked for, and what it answered.
        reason: String,
    },
    /// A device that failed. What is on it is lost.
    #[error("{reason}")]
    Device {
        /// The device, what it was asked for, and what it answered.
        reason: String,
    },
    /// Frequency divisors that do not match the head.
    #[error("{count} rotary frequency divisors for a head of {head_dim}")]
    Divisors {
        /// Divisors given.
        count: usize,
        /// Width of a head.
        head_dim: usize,
    },
    /// Memory that the system does not give.
    #[error("no memory for {what} of {bytes} bytes")]
    Memory {
        /// What it was for.
        what: &'static str,
        /// Its size.
        bytes: usize,
    },
}

/// Whether a matrix is one that backends can take over: its data fill its shape, its inputs come in whole groups.
fn check_matrix(matrix: &Matrix) -> Result<(), BackendError> {
    let (rows, cols) = (matrix.rows, matrix.cols);
    let multiple = |what, value: usize, multiple| {
        let fits = value > 0 && value.is_multiple_of(multiple);
        if fits { Ok(()) } else { Err(BackendError::Multiple { what, value, multiple }) }
    };
    multiple("a matrix's number of outputs", rows, 1)?;
    multiple("a matrix's number of inputs", cols, GROUP)?;
    let cells = rows.checked_mul(cols).ok_or(BackendError::DataSize { rows, cols })?;
    let fits = match &matrix.data {
        MatrixData::F16(values) => values.len() == cells,
        MatrixData::Bf16(values) => values.len() == cells,
        MatrixData::Int8 { quants, scales } => quants.len() == cells && scales.len() == cells / GROUP,
        MatrixData::Int4 { quants, scales, minimums } => {
            let groups = cells / GROUP;
            quants.len() == cells / 2 && scales.len() == groups && minimums.len() == groups
        }
    };
    if fits { Ok(()) } else { Err(BackendError::DataSize { rows, cols }) }
}

//! The graph of the Llama family: Llama, SmolLM2, Mistral, Qwen2 (biases of query, key and value) and Qwen3 (norms of
//! query and key heads), written once for every backend.

mod blank;
pub mod course;
mod error;
mod layer;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
mod validate;

pub use error::{LlamaError, ModelError, Severity, StepError};

use super::checkpoint::Checkpoint;
use super::config::ModelConfig;
use super::random::{self, WeightFormat};
use super::tensors::{LayerTensors, Matrix};
use crate::backend::batch::{BLOCK_TOKENS, Batch};
use crate::backend::sampling::Sampled;
use crate::backend::{Backend, CacheShape, Norm, StepLimits};
use layer::Layer;

/// Tokens in one step, at most: what its activations may take up.
pub const STEP_TOKENS_MAX: usize = 4096;

/// Sequences of one step, and rows that are sampled from, at most.
pub const STEP_SEQUENCES_MAX: usize = 4096;

/// Blocks of the KV cache, at most (16 million tokens).
pub const KV_BLOCKS_MAX: usize = 1 << 20;

/// What a model may keep in memory beside its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelLimits {
    /// Blocks of [`BLOCK_TOKENS`] tokens in the KV cache, shared by all sequences; 1 to [`KV_BLOCKS_MAX`].
    pub blocks: usize,
    /// The largest step: 1 to [`STEP_TOKENS_MAX`] tokens of 1 to [`STEP_SEQUENCES_MAX`] sequences. What the model's own
    /// context or the blocks do not reach is not set aside.
    pub step: StepLimits,
}

impl ModelLimits {
    /// With a context that the model has and that the blocks can hold.
    fn within(mut self, config: &ModelConfig) -> Self {
        self.step.context =
            self.step.context.min(config.context_max).min(self.blocks.saturating_mul(BLOCK_TOKENS));
        self
    }
}

/// A model's tensors as a file gives them, one layer at a time, so that they need not all be in memory twice.
#[derive(Debug)]
pub struct ModelTensors<F> {
    /// `(vocab, dim)`.
    pub embedding: Matrix,
    /// Gives each layer's tensors, from the first to the last.
    pub layer: F,
    /// RMSNorm before the head, `(dim)`.
    pub final_norm: Vec<f32>,
    /// `(vocab, dim)`; the embedding where absent.
    pub head: Option<Matrix>,
}

/// A model on a backend, with its KV cache.
pub struct Llama<B: Backend> {
    config: ModelConfig,
    limits: ModelLimits,
    backend: B,
    embedding: B::Matrix,
    layers: Vec<Layer<B>>,
    final_norm: Norm<B::Vector>,
    head: Option<B::Matrix>,
    cache: B::Cache,
    activations: Activations<B>,
}

/// The activations of a step.
struct Activations<B: Backend> {
    /// `(rows, dim)`: the residual stream.
    stream: B::Buffer,
    /// `(samples, vocab)`.
    logits: B::Buffer,
}

impl<B: Backend> Llama<B> {
    /// Takes over a model's tensors. An error of the source comes back as it is.
    pub fn from_tensors<F, E>(
        mut backend: B,
        config: ModelConfig,
        mut tensors: ModelTensors<F>,
        limits: ModelLimits,
    ) -> Result<Self, E>
    where
        F: FnMut(usize) -> Result<LayerTensors, E>,
        E: From<ModelError>,
    {
        let limits = limits.within(&config);
        validate::config(&config, limits)?;
        validate::ends(&config, &tensors.embedding, &tensors.final_norm, tensors.head.as_ref())?;
        // The largest first, so that its source is gone before the layers come.
        let embedding = backend.matrix(tensors.embedding).map_err(ModelError::from)?;
        let head = tensors.head.map(|head| backend.matrix(head)).transpose().map_err(ModelError::from)?;
        let mut layers = Vec::with_capacity(config.layers);
        for index in 0..config.layers {
            let layer = (tensors.layer)(index)?;
            validate::layer(&config, index, &layer)?;
            layers.push(Layer::new(&backend, &config, layer)?);
        }
        backend.reserve(&config, limits.step).map_err(ModelError::from)?;
        let activations = Activations::new(&backend, &config, limits.step)?;
        let cache = backend.cache(cache_shape(&config, limits)).map_err(ModelError::from)?;
        let weight = backend.vector(tensors.final_norm).map_err(ModelError::from)?;
        let final_norm = Norm { weight, epsilon: config.norm_epsilon };
        Ok(Self { config, limits, backend, embedding, layers, final_norm, head, cache, activations })
    }

    /// Loads a checkpoint, layer by layer.
    pub fn load(backend: B, checkpoint: &Checkpoint, limits: ModelLimits) -> Result<Self, LlamaError> {
        let tensors = ModelTensors {
            embedding: checkpoint.embedding()?,
            layer: |index| Ok(checkpoint.layer(index)?),
            final_norm: checkpoint.final_norm()?,
            head: checkpoint.head()?,
        };
        Self::from_tensors(backend, checkpoint.config().clone(), tensors, limits)
    }

    /// A model of random weights: the same for the same seed. For tests and benches.
    pub fn from_random(
        backend: B,
        config: ModelConfig,
        seed: u64,
        format: WeightFormat,
        limits: ModelLimits,
    ) -> Result<Self, ModelError> {
        validate::config(&config, limits)?;
        let shape = config.clone();
        let tensors = ModelTensors {
            embedding: random::embedding(&shape, seed, format),
            layer: |index| Ok(random::layer(&shape, seed, format, index)),
            final_norm: vec![1.0; shape.dim],
            head: None,
        };
        Self::from_tensors(backend, config, tensors, limits)
    }

    /// Its shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The limits it was made with.
    pub fn limits(&self) -> ModelLimits {
        self.limits
    }

    /// Where it runs, for logs.
    pub fn backend_name(&self) -> String {
        self.backend.name()
    }

    /// Runs a batch and chooses a token for each of its sample rows. A batch that is refused changes nothing.
    pub fn step(&mut self, batch: &Batch<'_>) -> Result<Vec<Sampled>, StepError> {
        self.begin_step(batch)?;
        self.end_step()
    }

    /// Begins to run a batch; what is chosen comes back from [`Llama::end_step`]. A batch that is refused changes nothing.
    pub fn begin_step(&mut self, batch: &Batch<'_>) -> Result<(), StepError> {
        validate::batch(&self.config, self.limits, batch)?;
        let Self { backend, embedding, layers, final_norm, head, cache, activations, .. } = self;
        let Activations { stream, logits } = activations;
        backend.step(batch, |backend| {
            backend.embed(embedding, stream);
            for (index, layer) in layers.iter().enumerate() {
                backend.attention(&layer.attention, cache, index, stream);
                backend.feed_forward(&layer.feed_forward, stream);
            }
            backend.head(stream, final_norm, head.as_ref().unwrap_or(embedding), logits);
            backend.sample(logits, batch);
        })?;
        Ok(())
    }

    /// Whether a step that was begun goes on by itself.
    pub fn is_asynchronous(&self) -> bool {
        self.backend.is_asynchronous()
    }

    /// Waits until the step that was begun is over; a token for each of its sample rows.
    pub fn end_step(&mut self) -> Result<Vec<Sampled>, StepError> {
        Ok(self.backend.collect()?)
    }

    /// Runs a batch; logits of its sample rows, `(samples, vocab)`. For tests.
    pub fn logits(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>, StepError> {
        self.step(batch)?;
        Ok(self.backend.read(&self.activations.logits, batch.samples.len())?)
    }

    /// Copies one block's keys and values to another, in every layer: a shared block that is about to be written.
    pub fn copy_block(&mut self, from: u32, to: u32) -> Result<(), StepError> {
        for block in [from, to] {
            validate::block(block, self.limits)?;
        }
        Ok(self.backend.copy_block(&mut self.cache, from, to)?)
    }
}

impl<B: Backend> Activations<B> {
    fn new(backend: &B, config: &ModelConfig, limits: StepLimits) -> Result<Self, ModelError> {
        Ok(Self {
            stream: backend.buffer(limits.rows_max(), config.dim)?,
            logits: backend.buffer(limits.sequences, config.vocab)?,
        })
    }
}

/// Bytes of the activations that a backend does not keep by itself.
pub fn activation_bytes(config: &ModelConfig, limits: StepLimits) -> u64 {
    ((limits.rows_max() * config.dim + limits.sequences * config.vocab) * size_of::<f32>()) as u64
}

/// The KV cache that a model needs.
fn cache_shape(config: &ModelConfig, limits: ModelLimits) -> CacheShape {
    CacheShape {
        layers: config.layers,
        heads: config.heads,
        kv_heads: config.kv_heads,
        head_dim: config.head_dim,
        blocks: limits.blocks,
        context_max: limits.step.context,
        rope: config.rope.clone(),
    }
}

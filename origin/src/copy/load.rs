//! From settings to a copywriter that is ready: opens the model, sizes the KV cache, starts the engine.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use adlib_shared::catalog::ModelInfo;

use super::card::TEMPLATE_REVISION;
use super::prompt::PromptStyle;
use super::vocabulary::Vocabulary;
use super::{BRANCHES_MAX, Copywriter};
use crate::backend::Backend;
use crate::backend::batch::BLOCK_TOKENS;
use crate::backend::cpu::Cpu;
use crate::backend::cuda::{Cuda, Gpu, GpuAbsence};
use crate::engine::Handle;
use crate::engine::limits::EngineLimits;
use crate::model::checkpoint::Checkpoint;
use crate::model::config::ModelConfig;
use crate::model::hub::{self, HubError};
use crate::model::llama::{KV_BLOCKS_MAX, Llama, ModelError, ModelTensors, STEP_TOKENS_MAX};
use crate::model::load_error::LoadError;
use crate::settings::device::Device;
use crate::settings::memory::memory_bytes;
use crate::settings::model_source::ModelSource;
use crate::settings::{EngineSettings, KvSize, Settings};

/// A copywriter, and the engine's thread: it ends when the last clone of the copywriter is dropped.
pub struct LoadedWriter {
    /// The copywriter.
    pub writer: Copywriter,
    /// The engine's thread.
    pub engine: JoinHandle<()>,
}

/// Why a model could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// Its files.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A model of the Hugging Face hub that cannot be had.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// Its shape, or memory for it.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The GPU that was asked for.
    #[error(transparent)]
    Gpu(#[from] GpuAbsence),
    /// The KV cache does not hold one context.
    #[error(
        "{available} bytes are left for the KV cache and one context of {context} tokens takes {needed}; lower context_max or raise max_memory_usage"
    )]
    Memory {
        /// What the memory limit leaves after the weights.
        available: u64,
        /// Tokens of one context.
        context: usize,
        /// What one context takes.
        needed: u64,
    },
    /// The engine's thread.
    #[error("the engine's thread does not start: {0}")]
    Thread(std::io::Error),
}

/// Opens the model that the settings name and starts an engine on it.
pub fn load(settings: &Settings) -> Result<LoadedWriter, WriterError> {
    let path = match &settings.model {
        ModelSource::Path(path) => path.clone(),
        ModelSource::Hub(repository) => hub::fetch(repository)?,
    };
    let checkpoint = Checkpoint::open(&path, &settings.adapters)?.quantized(settings.engine.quantize);
    if let Some(gpu) = gpu(settings.engine.device)? {
        let memory = gpu.memory_bytes();
        return start(settings, &checkpoint, gpu, memory);
    }
    let threads = NonZeroUsize::new(settings.engine.threads).unwrap_or(NonZeroUsize::MIN);
    start(settings, &checkpoint, Cpu::new(threads), memory_bytes())
}

/// The GPU, where one is wanted and can be used.
fn gpu(device: Device) -> Result<Option<Cuda<Gpu>>, WriterError> {
    match device {
        Device::Cpu => Ok(None),
        Device::Cuda(ordinal) => Ok(Some(Cuda::open(ordinal)?)),
        Device::Auto => match Cuda::open(0) {
            Ok(cuda) => Ok(Some(cuda)),
            Err(reason) => {
                tracing::info!(%reason, "no GPU is used; the model runs on the CPU");
                Ok(None)
            }
        },
    }
}

/// Starts an engine on a backend that has this much memory.
fn start<B: Backend + 'static>(
    settings: &Settings,
    checkpoint: &Checkpoint,
    backend: B,
    memory: u64,
) -> Result<LoadedWriter, WriterError> {
    let arithmetic = backend.arithmetic();
    let limits = limits(&settings.engine, checkpoint.config(), checkpoint.weight_bytes(), memory)?;
    let model = load_model(backend, checkpoint, limits)?;
    tracing::info!(
        model = checkpoint.id(),
        backend = model.backend_name(),
        kv_tokens = limits.blocks * BLOCK_TOKENS,
        "the model is loaded"
    );
    let vocabulary = Arc::new(Vocabulary::new(Arc::new(checkpoint.tokenizer()?)));
    let style = style(&settings.adapters);
    let info = ModelInfo::new(
        checkpoint.id(),
        fingerprint(checkpoint, limits, style, arithmetic)?,
        checkpoint.languages().to_vec(),
        limits.tokens_max(),
    );
    let (handle, engine) = Handle::start(model, limits).map_err(WriterError::Thread)?;
    Ok(LoadedWriter { writer: Copywriter::new(handle, vocabulary, style, info), engine })
}

fn load_model<B: Backend>(
    backend: B,
    checkpoint: &Checkpoint,
    limits: EngineLimits,
) -> Result<Llama<B>, WriterError> {
    let tensors = ModelTensors {
        embedding: checkpoint.embedding()?,
        layer: |index| checkpoint.layer(index).map_err(WriterError::from),
        final_norm: checkpoint.final_norm()?,
        head: checkpoint.head()?,
    };
    Llama::from_tensors(backend, checkpoint.config().clone(), tensors, limits.model())
}

/// The engine's limits: what was asked for, within what the model and the memory allow.
fn limits(
    settings: &EngineSettings,
    config: &ModelConfig,
    weights: u64,
    memory: u64,
) -> Result<EngineLimits, WriterError> {
    let context_max = settings.context_max.min(config.context_max);
    let block_bytes = (BLOCK_TOKENS * config.layers * 2 * config.kv_width() * size_of::<half::f16>()) as u64;
    let useful = settings.sequences_max * context_max.div_ceil(BLOCK_TOKENS);
    let blocks = match settings.kv {
        KvSize::Tokens(tokens) => tokens / BLOCK_TOKENS,
        KvSize::MemoryShare(share) => {
            let available = ((memory as f64 * share) as u64).saturating_sub(weights);
            let needed = context_max.div_ceil(BLOCK_TOKENS) as u64 * block_bytes;
            if available < needed {
                return Err(WriterError::Memory { available, context: context_max, needed });
            }
            useful.min((available / block_bytes) as usize)
        }
    };
    Ok(EngineLimits {
        queue_max: settings.queue_max,
        sequences_max: settings.sequences_max,
        batch_tokens_max: settings.batch_tokens_max.min(STEP_TOKENS_MAX),
        context_max,
        blocks: blocks.min(KV_BLOCKS_MAX),
    })
}

/// Models with an adapter are asked as the house copywriter was trained.
fn style(adapters: &[PathBuf]) -> PromptStyle {
    if adapters.is_empty() { PromptStyle::Instructed } else { PromptStyle::House }
}

/// Everything that a seed's promise rests on: the weights, and how they are asked and sampled.
fn fingerprint(
    checkpoint: &Checkpoint,
    limits: EngineLimits,
    style: PromptStyle,
    arithmetic: &str,
) -> Result<String, LoadError> {
    use sha2::{Digest, Sha256};
    let weights = checkpoint.fingerprint()?;
    let engine = format!(
        "{weights} template {TEMPLATE_REVISION} style {style:?} branches {BRANCHES_MAX} of {} on {arithmetic} engine {}",
        limits.sequences_max,
        env!("CARGO_PKG_VERSION")
    );
    let digest = Sha256::digest(engine.as_bytes());
    Ok(digest.iter().fold(String::from("sha256:"), |text, byte| format!("{text}{byte:02x}")))
}

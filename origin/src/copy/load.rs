//! From settings to a copywriter that is ready: opens the model, sizes the KV cache, starts an engine on each device.

mod demand;
mod devices;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use adlib_shared::catalog::ModelInfo;

use super::card::TEMPLATE_REVISION;
use super::prompt::PromptStyle;
use super::vocabulary::Vocabulary;
use super::{BRANCHES_MAX, Copywriter};
use crate::backend::batch::BLOCK_TOKENS;
use crate::backend::cuda::GpuAbsence;
use crate::backend::{Backend, DeviceMemory};
use crate::engine::fleet::{Fleet, FleetThreads};
use crate::engine::limits::EngineLimits;
use crate::engine::{EngineThread, Handle, Restarts};
use crate::model::checkpoint::Checkpoint;
use crate::model::config::ModelConfig;
use crate::model::hub::{self, HubError};
use crate::model::llama::{
    KV_BLOCKS_MAX, Llama, ModelError, ModelTensors, STEP_TOKENS_MAX, activation_bytes,
};
use crate::model::load_error::LoadError;
use crate::settings::model_source::ModelSource;
use crate::settings::{EngineSettings, KvSize, Settings};
use demand::Demand;
pub use demand::Shortage;
use devices::Devices;
pub(crate) use devices::Opened;

/// A copywriter, and its engines' threads: they end when the last clone of the copywriter is dropped.
pub struct LoadedWriter {
    /// The copywriter.
    pub writer: Copywriter,
    /// The engines' threads.
    pub engines: FleetThreads,
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
    /// Memory for it and for one context.
    #[error(transparent)]
    Memory(#[from] Shortage),
    /// An engine's thread.
    #[error("an engine's thread does not start: {0}")]
    Thread(std::io::Error),
}

/// Opens the model that the settings name and starts an engine on each device that they name.
pub fn load(settings: &Settings) -> Result<LoadedWriter, WriterError> {
    let path = match &settings.model {
        ModelSource::Path(path) => path.clone(),
        ModelSource::Hub(repository) => hub::fetch(repository)?,
    };
    let checkpoint = Checkpoint::open(&path, &settings.adapters)?.quantized(settings.engine.quantize);
    let restarts = Restarts::default();
    match Devices::open(&settings.engine)? {
        Devices::Cpu(cpu) => start(settings, checkpoint, cpu, restarts),
        Devices::Gpus(gpus) => start(settings, checkpoint, gpus, restarts),
    }
}

/// Starts an engine on each device, all of which compute alike.
pub(crate) fn start<B: Backend + 'static>(
    settings: &Settings,
    checkpoint: Checkpoint,
    devices: Vec<Opened<B>>,
    restarts: Restarts,
) -> Result<LoadedWriter, WriterError> {
    let arithmetic = devices[0].backend.arithmetic();
    let checkpoint = Arc::new(checkpoint);
    let started: Result<Vec<_>, _> = thread::scope(|scope| {
        let starts = devices.into_iter().enumerate().map(|(replica, device)| {
            let checkpoint = Arc::clone(&checkpoint);
            scope.spawn(move || start_engine(replica, &settings.engine, checkpoint, device, restarts))
        });
        let starts: Vec<_> = starts.collect();
        starts.into_iter().map(|start| start.join().expect("loading does not panic")).collect()
    });
    let (handles, threads) = started?.into_iter().unzip();
    let engines = Fleet::new(handles);
    let limits = engines.limits();
    let vocabulary = Arc::new(Vocabulary::new(Arc::new(checkpoint.tokenizer()?)));
    let style = style(&settings.adapters);
    let info = ModelInfo::new(
        checkpoint.id(),
        fingerprint(&checkpoint, limits, style, &arithmetic)?,
        checkpoint.languages().to_vec(),
        limits.tokens_max(),
    );
    let writer = Copywriter::new(engines, vocabulary, style, info);
    Ok(LoadedWriter { writer, engines: FleetThreads(threads) })
}

/// Loads the model on a device and starts an engine there.
fn start_engine<B: Backend + 'static>(
    replica: usize,
    settings: &EngineSettings,
    checkpoint: Arc<Checkpoint>,
    device: Opened<B>,
    restarts: Restarts,
) -> Result<(Handle, EngineThread), WriterError> {
    let Opened { backend, memory, mut reopen } = device;
    let config = checkpoint.config();
    let demand = Demand {
        weights: &|format| checkpoint.weight_bytes(format),
        format: checkpoint.quantization(),
        step: &|step| backend.step_bytes(config, step) + activation_bytes(config, step),
        block: (BLOCK_TOKENS * config.kv_token_bytes()) as u64,
    };
    let limits = limits(settings, config, &demand, memory)?;
    let model = load_model(backend, &checkpoint, limits)?;
    tracing::info!(
        model = checkpoint.id(),
        replica,
        backend = model.backend_name(),
        kv_tokens = limits.blocks * BLOCK_TOKENS,
        "the model is loaded"
    );
    let reload = move || load_model(reopen()?, &checkpoint, limits);
    Handle::start(replica, model, limits, restarts, reload).map_err(WriterError::Thread)
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
    demand: &Demand<'_>,
    memory: DeviceMemory,
) -> Result<EngineLimits, Shortage> {
    let mut limits = EngineLimits {
        queue_max: settings.queue_max,
        sequences_max: settings.sequences_max,
        batch_tokens_max: settings.batch_tokens_max.min(STEP_TOKENS_MAX),
        context_max: settings.context_max.min(config.context_max),
        blocks: KV_BLOCKS_MAX,
    };
    let blocks = match settings.kv {
        KvSize::Tokens(tokens) => tokens / BLOCK_TOKENS,
        KvSize::MemoryShare(share) => {
            let useful = limits.sequences_max * limits.context_max.div_ceil(BLOCK_TOKENS);
            useful.min(demand.blocks_within(&limits, memory, share)?)
        }
    };
    limits.blocks = blocks.min(KV_BLOCKS_MAX);
    Ok(limits)
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

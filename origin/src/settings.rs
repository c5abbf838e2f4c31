//! Configuration in three stages: what was given (file, environment, flags), what it means once validated, and
//! what follows from it. All of it happens before a port is bound.

pub mod device;
pub mod error;
pub mod flags;
pub mod logs;
pub mod memory;
pub mod model_source;
pub mod raw;
pub mod secret;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use adlib_shared::limits::VARIANTS_MAX;

use crate::model::quantize::Quantize;
use device::{DEVICES, Device};
use error::SettingsError;
use logs::LogSettings;
use model_source::ModelSource;
use raw::Raw;
use secret::HopSecrets;

/// Threads a backend may be told to use.
pub const THREADS: RangeInclusive<usize> = 1..=512;
/// Tokens of one sequence: prompt and answer together.
pub const CONTEXT_TOKENS: RangeInclusive<usize> = 256..=1_048_576;
/// Tokens the KV pool may hold when it is sized by hand.
pub const KV_TOKENS: RangeInclusive<usize> = 256..=16_777_216;
/// Share of the machine's memory that weights and KV pool may take together.
pub const MEMORY_USAGE: RangeInclusive<f64> = 0.05..=0.95;
/// Tokens of one engine step.
pub const BATCH_TOKENS: RangeInclusive<usize> = 16..=4_096;
/// Sequences that run at once; a brief takes at least one for each of its variants.
pub const SEQUENCES: RangeInclusive<usize> = VARIANTS_MAX..=1_024;
/// Requests that may wait for the engine.
pub const QUEUE: RangeInclusive<usize> = 1..=65_536;
/// Milliseconds a request may take from its arrival to its last byte.
pub const DEADLINE_MS: RangeInclusive<u64> = 100..=3_600_000;
/// Seconds a shutdown waits for running requests.
pub const DRAIN_SECONDS: RangeInclusive<u64> = 0..=3_600;
/// Open client connections.
pub const CONNECTIONS: RangeInclusive<usize> = 1..=65_536;

/// A valid configuration. It can only be made by [`Settings::read`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The address to bind.
    pub listen: SocketAddr,
    /// The model to serve.
    pub model: ModelSource,
    /// LoRA adapters merged into it at load, in this order.
    pub adapters: Vec<PathBuf>,
    /// What the engine and its backend are sized by.
    pub engine: EngineSettings,
    /// What the HTTP side is bounded by.
    pub http: HttpSettings,
    /// Secrets that sign the hop from the edge; without one the origin serves a trusted network.
    pub hop: Option<HopSecrets>,
    /// What is logged, and in which form.
    pub logs: LogSettings,
}

/// Sizes of the engine and its backend.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineSettings {
    /// Where the model runs.
    pub device: Device,
    /// Threads of the CPU backend.
    pub threads: usize,
    /// Tokens of one sequence at most; the model's own limit applies too.
    pub context_max: usize,
    /// How the KV pool is sized.
    pub kv: KvSize,
    /// Tokens of one step at most.
    pub batch_tokens_max: usize,
    /// Sequences that run at once at most.
    pub sequences_max: usize,
    /// Requests that wait at most; one more is refused as overloaded.
    pub queue_max: usize,
    /// Weights are converted to this format at load; as the file has them where absent.
    pub quantize: Option<Quantize>,
}

/// How the KV pool is sized.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KvSize {
    /// Room for this many tokens.
    Tokens(usize),
    /// What is left of this share of the machine's memory after the weights.
    MemoryShare(f64),
}

/// Bounds of the HTTP side.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// From a request's arrival to its last byte.
    pub request_deadline: Duration,
    /// How long a shutdown waits for running requests.
    pub drain: Duration,
    /// Open client connections at most; further ones wait in the listen queue.
    pub connections_max: usize,
}

impl Settings {
    /// Validates what was given. Every wrong setting is reported, not only the first.
    pub fn read(mut raw: Raw) -> Result<Self, SettingsError> {
        raw.refuse_unknown();
        let listen = raw
            .parsed("listen", "an IP address and a port, such as 127.0.0.1:8080", |text| text.parse().ok());
        let model = ModelSource::read(&mut raw);
        let adapters = model_source::adapters(&mut raw, model.as_ref());
        let engine = EngineSettings::read(&mut raw);
        let http = HttpSettings::read(&mut raw);
        let hop = HopSecrets::read(&mut raw);
        let logs = LogSettings::read(&mut raw);
        raw.finish()?;
        Ok(Self {
            listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            model: model.expect("a model that cannot be named is among the errors"),
            adapters,
            engine,
            http,
            hop,
            logs,
        })
    }
}

impl EngineSettings {
    fn read(raw: &mut Raw) -> Self {
        let threads = raw.number("threads", THREADS).unwrap_or_else(|| {
            std::thread::available_parallelism()
                .map_or(1, usize::from)
                .clamp(*THREADS.start(), *THREADS.end())
        });
        let context_max = raw.number("context_max", CONTEXT_TOKENS).unwrap_or(2_048);
        let share = raw.number("max_memory_usage", MEMORY_USAGE).unwrap_or(0.8);
        let kv_tokens = raw.number("kv_tokens", KV_TOKENS);
        if let Some(tokens) = kv_tokens.filter(|tokens| *tokens < context_max) {
            let allowed = format!("at least context_max, which is {context_max}");
            raw.refuse("kv_tokens", &tokens.to_string(), &allowed);
        }
        let quantize = raw.parsed("quantize", "int8 or int4", |text| text.parse().ok());
        let device = raw.parsed("device", DEVICES, |text| text.parse().ok());
        Self {
            // Not `auto` as long as the kernels have run in the simulator alone.
            device: device.unwrap_or(Device::Cpu),
            threads,
            context_max,
            kv: kv_tokens.map_or(KvSize::MemoryShare(share), KvSize::Tokens),
            batch_tokens_max: raw.number("batch_tokens_max", BATCH_TOKENS).unwrap_or(512),
            sequences_max: raw.number("sequences_max", SEQUENCES).unwrap_or(64),
            queue_max: raw.number("queue_max", QUEUE).unwrap_or(64),
            quantize,
        }
    }
}

impl HttpSettings {
    fn read(raw: &mut Raw) -> Self {
        Self {
            request_deadline: Duration::from_millis(
                raw.number("request_deadline_ms", DEADLINE_MS).unwrap_or(120_000),
            ),
            drain: Duration::from_secs(raw.number("drain_seconds", DRAIN_SECONDS).unwrap_or(30)),
            connections_max: raw.number("connections_max", CONNECTIONS).unwrap_or(1_024),
        }
    }
}

#[cfg(test)]
mod tests;

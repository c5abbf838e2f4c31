//! The compiled component and all it is linked against.

mod imports;
mod link;
mod ticker;

use std::path::{Path, PathBuf};

use thiserror::Error;
use wasmtime::component::Component;
use wasmtime::{Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::guest::Guest;
use crate::limits::Limits;

pub(crate) use ticker::{TICK, Ticker};

/// A component that is compiled, linked and checked: what is left is to instantiate it.
pub(crate) struct Program {
    pub(crate) engine: Engine,
    pub(crate) service: ServicePre<Guest>,
    pub(crate) compiled: Compiled,
}

/// Whether this start had to compile the component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compiled {
    /// It was compiled now.
    Now,
    /// An earlier start had compiled it.
    Before,
}

/// Why a component cannot be run.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum ProgramError {
    #[error("cannot read the component {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is not a component this host can compile: {reason}")]
    Compile { path: PathBuf, reason: String },
    #[error("the component imports what this host does not offer: {}", .names.join(", "))]
    Imports { names: Vec<String> },
    #[error("the component does not fit this host: {0}")]
    Link(String),
    #[error("the compile cache {folder} cannot be used: {reason}")]
    Cache { folder: PathBuf, reason: String },
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(String),
}

impl Program {
    /// Reads, compiles (or takes from the cache), checks and links. This computes for seconds: call it where it may block.
    pub(crate) fn load(path: &Path, cache: Option<&Path>, limits: &Limits) -> Result<Self, ProgramError> {
        let bytes =
            std::fs::read(path).map_err(|source| ProgramError::Read { path: path.to_owned(), source })?;
        let cache = cache.map(open_cache).transpose()?;
        let engine = engine(limits, cache.clone())?;
        let component = Component::new(&engine, &bytes)
            .map_err(|error| ProgramError::Compile { path: path.to_owned(), reason: format!("{error:#}") })?;
        let names = imports::unsupported(&engine, &component);
        if !names.is_empty() {
            return Err(ProgramError::Imports { names });
        }
        let service =
            link::link(&engine, &component).map_err(|error| ProgramError::Link(format!("{error:#}")))?;
        let compiled = match cache {
            Some(cache) if cache.cache_hits() > 0 => Compiled::Before,
            _ => Compiled::Now,
        };
        Ok(Self { engine, service, compiled })
    }
}

/// Wasmtime's own cache: keyed by the component's bytes and everything about the compiler that shapes its output,
/// written to the side and renamed.
fn open_cache(folder: &Path) -> Result<Cache, ProgramError> {
    let failed = |reason: String| ProgramError::Cache { folder: folder.to_owned(), reason };
    std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
    let folder = folder.canonicalize().map_err(|error| failed(error.to_string()))?;
    let mut config = CacheConfig::new();
    config.with_directory(folder);
    Cache::new(config).map_err(|error| failed(format!("{error:#}")))
}

fn engine(limits: &Limits, cache: Option<Cache>) -> Result<Engine, ProgramError> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    config.cache(cache);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    Engine::new(&config).map_err(|error| ProgramError::Engine(format!("{error:#}")))
}

/// Places for all instances, set aside once so that a new instance costs microseconds.
fn pool(limits: &Limits) -> PoolingAllocationConfig {
    /// Modules, memories and tables of one component: the program itself and the shims the compiler puts beside it.
    const PARTS: u32 = 4;
    /// Instances that are being dropped still hold their place for a moment.
    const LEAVING: u32 = 8;
    /// What stays resident of a dropped instance's memory, so that the next one finds it without page faults.
    const KEPT_BYTES: usize = 512 << 10;
    let instances = limits.instances_max + LEAVING;
    let concurrency = u32::try_from(limits.instance_concurrency_max).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances * PARTS)
        .total_memories(instances * PARTS)
        .total_tables(instances * PARTS)
        .max_core_instances_per_component(PARTS * PARTS)
        .max_memories_per_component(PARTS)
        .max_tables_per_component(PARTS)
        .max_memory_size(limits.instance_memory_bytes_max)
        // One stack for each request, and as many for what goes on after responses.
        .total_stacks(instances.saturating_mul(concurrency.saturating_mul(2)).max(64))
        .linear_memory_keep_resident(KEPT_BYTES)
        .max_unused_warm_slots(instances);
    pool
}

//! A whole host: everything is read and checked first, then the port is bound.

use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::allowed_hosts::{AllowedHostError, AllowedHosts};
use crate::config::HostConfig;
use crate::guest::Shared;
use crate::instances::Instances;
use crate::key_value::{KeyValueError, Storage};
use crate::listener;
use crate::manifest::{Manifest, ManifestError};
use crate::outbound::Outbound;
use crate::program::{Compiled, Program, ProgramError, Ticker};
use crate::server::Server;
use crate::variables::{VariableError, Variables};

/// Starts hosts.
pub struct Host;

/// Why a host does not start.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum HostError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Variable(#[from] VariableError),
    #[error("the allowed outbound host number {number}: {source}")]
    AllowedHost { number: usize, source: AllowedHostError },
    #[error(transparent)]
    KeyValue(#[from] KeyValueError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("cannot start the engine's clock: {0}")]
    Ticker(#[source] std::io::Error),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the component's compilation ended early")]
    Interrupted,
}

/// A host that serves. Dropping it stops it at once; [`RunningHost::shutdown`] lets it finish what runs.
pub struct RunningHost {
    address: SocketAddr,
    compiled: Compiled,
    server: Arc<Server>,
    connections: TaskTracker,
    accepting: JoinHandle<()>,
    closing: DropGuard,
    _ticker: Ticker,
}

impl Host {
    /// Reads the manifest, resolves variables, opens the stores, compiles the component, listens.
    pub async fn start(config: HostConfig) -> Result<RunningHost, HostError> {
        let manifest = Manifest::read(&config.manifest)?;
        let variables = Variables::resolve(&manifest, &config.variables, &config.ambient_variables)?;
        let allowed = allowed_hosts(&manifest, &variables)?;
        let limits = config.limits;
        let storage = Storage::open(&config.stores, &limits)?;
        let program = {
            let path = config.component.unwrap_or_else(|| manifest.source.clone());
            let (cache, limits) = (config.compile_cache, limits.clone());
            let load = move || Program::load(&path, cache.as_deref(), &limits);
            tokio::task::spawn_blocking(load).await.map_err(|_| HostError::Interrupted)??
        };
        let (engine, compiled) = (program.engine.clone(), program.compiled);
        tracing::info!(component = manifest.component, ?compiled, "the component is ready");

        let routes = manifest.routes.clone();
        let outbound = Outbound::new(allowed, &limits);
        let shared = Shared::new(manifest, variables, storage, outbound, limits.clone(), config.guest_output);
        let closing = CancellationToken::new();
        let instances = Instances::new(program, Arc::new(shared), closing.clone());
        let server = Arc::new(Server::new(instances, routes, limits));
        let ticker = Ticker::start(engine).map_err(HostError::Ticker)?;

        let failed = |source| HostError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let connections = TaskTracker::new();
        let accepting = listener::accept(listener, Arc::clone(&server), connections.clone(), closing.clone());
        let accepting = tokio::spawn(accepting);
        Ok(RunningHost {
            address,
            compiled,
            server,
            connections,
            accepting,
            closing: closing.drop_guard(),
            _ticker: ticker,
        })
    }
}

impl RunningHost {
    /// Where the host listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether this start had to compile the component.
    pub fn compiled(&self) -> Compiled {
        self.compiled
    }

    /// Accepts nothing more, finishes what runs, and tells whether it was finished within `Limits::shutdown_time_max`.
    pub async fn shutdown(self) -> bool {
        let deadline = Instant::now() + self.server.limits.shutdown_time_max;
        drop(self.closing);
        self.connections.close();
        let finished = async {
            // The listener closes first, so that nobody waits in its backlog for an answer.
            let _ = self.accepting.await;
            self.connections.wait().await;
            self.server.idle().await;
        };
        timeout_at(deadline, finished).await.is_ok()
    }
}

fn allowed_hosts(manifest: &Manifest, variables: &Variables) -> Result<AllowedHosts, HostError> {
    let mut entries = Vec::new();
    for (at, template) in manifest.allowed_outbound_hosts.iter().enumerate() {
        let entry = variables.fill(template, || format!("allowed outbound host number {}", at + 1))?;
        // As in Spin: the address of something that is not used is an empty variable.
        if !entry.is_empty() {
            entries.push(entry);
        }
    }
    AllowedHosts::parse(entries.iter().map(String::as_str))
        .map_err(|(at, source)| HostError::AllowedHost { number: at + 1, source })
}

//! What the host keeps for one instance of the component.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::{HasData, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::config::GuestOutput;
use crate::departure::Departures;
use crate::key_value::Storage;
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::memory::MemoryLimiter;
use crate::outbound::{Hooks, Outbound};
use crate::variables::Variables;

/// What all instances share.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) variables: Variables,
    pub(crate) storage: Storage,
    /// Labels of the stores the component may open.
    pub(crate) stores: std::collections::BTreeSet<String>,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) output: GuestOutput,
}

impl Shared {
    pub(crate) fn new(
        manifest: Manifest,
        variables: Variables,
        storage: Storage,
        outbound: Outbound,
        limits: Limits,
        output: GuestOutput,
    ) -> Self {
        Self {
            limits,
            variables,
            storage,
            stores: manifest.key_value_stores,
            outbound: Arc::new(outbound),
            environment: manifest.environment,
            output,
        }
    }
}

/// The data of one instance's store.
pub(crate) struct Guest {
    pub(crate) shared: Arc<Shared>,
    pub(crate) table: ResourceTable,
    pub(crate) memory: MemoryLimiter,
    pub(crate) open_stores: usize,
    pub(crate) redis_connections: usize,
    pub(crate) departures: Departures,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    /// This instance's place among `Limits::instances_max`; it is free again when the instance is dropped.
    _place: OwnedSemaphorePermit,
}

/// Names [`Guest`] as what the host functions of Spin's interfaces work on.
pub(crate) struct Spin;

impl HasData for Spin {
    type Data<'a> = &'a mut Guest;
}

impl Guest {
    pub(crate) fn new(shared: Arc<Shared>, place: OwnedSemaphorePermit) -> Self {
        let mut wasi = WasiCtx::builder();
        // No folders, no sockets, no arguments: the component reaches the world through HTTP and its stores alone.
        wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        for (name, value) in &shared.environment {
            wasi.env(name, value);
        }
        if shared.output == GuestOutput::StandardError {
            wasi.stdout(std::io::stderr()).stderr(std::io::stderr());
        }
        Self {
            table: ResourceTable::new(),
            memory: MemoryLimiter::new(shared.limits.instance_memory_bytes_max),
            open_stores: 0,
            redis_connections: 0,
            departures: Departures::default(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks: Hooks::new(Arc::clone(&shared.outbound)),
            shared,
            _place: place,
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

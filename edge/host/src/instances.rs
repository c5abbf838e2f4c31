//! The component's instances: made when none is free, reused as Spin reuses them, dropped when they fail or idle.

mod expiration;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::handler::{HandlerState, Instance, Proxy, ShouldAccept, WorkerState};

use crate::guest::{Guest, Shared};
use crate::limits::Limits;
use crate::program::Program;
use expiration::Expiration;

/// Makes instances, at most `Limits::instances_max` at once.
pub(crate) struct Instances {
    program: Program,
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    closing: CancellationToken,
}

/// Why there is no instance for a request.
#[derive(Debug, Error)]
pub(crate) enum InstanceError {
    /// As many live as may.
    #[error("all {0} instances are taken")]
    NoPlace(u32),
    /// The component computes before it is ready, and does not end.
    #[error("the component did not start in time")]
    StartTime,
}

impl Instances {
    pub(crate) fn new(program: Program, shared: Arc<Shared>, closing: CancellationToken) -> Self {
        let places = Arc::new(Semaphore::new(shared.limits.instances_max as usize));
        Self { program, shared, places, closing }
    }

    /// Resolves when an instance has left or may have: the moment to try again.
    pub(crate) async fn place(&self) {
        // The semaphore is never closed.
        drop(self.places.acquire().await);
    }

    /// Resolves when no instance is left. `closing` must be cancelled, otherwise idle ones stay.
    pub(crate) async fn gone(&self) {
        drop(self.places.acquire_many(self.shared.limits.instances_max).await);
    }
}

impl HandlerState for Instances {
    type StoreData = Guest;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Guest, Expiration, Worker>> {
        let limits = &self.shared.limits;
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| wasmtime::Error::from(InstanceError::NoPlace(limits.instances_max)))?;
        let yields = Arc::new(AtomicU32::new(0));
        let mut store = Store::new(&self.program.engine, Guest::new(Arc::clone(&self.shared), place));
        store.limiter(|guest| &mut guest.memory);
        store.set_epoch_deadline(1);
        let counter = Arc::clone(&yields);
        store.epoch_deadline_callback(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(UpdateDeadline::Yield(1))
        });
        let service = self.program.service.instantiate_async(&mut store);
        let service = tokio::time::timeout(limits.guest_busy_max, service)
            .await
            .map_err(|_| wasmtime::Error::from(InstanceError::StartTime))??;
        Ok(Instance {
            store,
            proxy: Proxy::P3(service),
            view: |guest| guest.http(),
            expiration: Expiration::new(limits, yields, self.closing.clone()),
            state: Worker { limits: limits.clone() },
        })
    }
}

/// What comes with a request.
pub(crate) struct Asked {
    /// The request's share of `Limits::requests_max`. The guest holds it until it has responded, since it may work on when
    /// the client has left.
    pub(crate) permit: Arc<OwnedSemaphorePermit>,
    /// Whether the client has left before there was a response.
    pub(crate) left: CancellationToken,
}

/// What one instance is asked about itself.
pub(crate) struct Worker {
    limits: Limits,
}

impl WorkerState for Worker {
    type StoreData = Guest;
    type RequestData = Asked;

    fn should_accept_request(&self, running: usize, accepted: usize) -> ShouldAccept {
        if accepted >= self.limits.instance_requests_max {
            ShouldAccept::Never
        } else if running >= self.limits.instance_concurrency_max {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, Guest>,
        Asked { permit, left }: Self::RequestData,
        task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        store.data_mut().departures.watch(task, left);
        let time = self.limits.request_time_max;
        Box::pin(async move {
            let _permit = permit;
            tokio::time::sleep(time).await;
        })
    }

    fn drop(&self, store: Store<Guest>, result: Result<(), wasmtime::Error>) {
        if let Err(error) = result {
            // The trap and the guest's functions on its stack: names, never values.
            tracing::error!(
                error = format!("{error:#}"),
                "an instance of the component failed and was dropped"
            );
        }
        drop(store);
    }
}

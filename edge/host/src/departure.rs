//! A client that leaves before its response has a head.
//!
//! The runtime cannot cancel a guest's task, so what the task waits for is ended instead: the requests that it has sent.
//! The guest sees each as denied, and comes to its own end. Once there is a head, the response's body tells the guest by
//! itself, and what it does after its response is nobody's to cancel.

use std::collections::HashMap;

use tokio_util::sync::{CancellationToken, DropGuard};
use wasmtime::component::{Accessor, GuestTaskId, HasData, Resource};
use wasmtime::{AsContextMut as _, StoreContextMut};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::p3::bindings::http::client::HostWithStore;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{Request, Response};
use wasmtime_wasi_http::{WasiHttp, WasiHttpCtxView, WasiHttpView as _};

use crate::guest::Guest;

/// Ends with the client: held while a response's head is waited for.
pub(crate) struct Presence(DropGuard);

impl Presence {
    /// A client that is here, and the sign that it has left.
    pub(crate) fn begin() -> (Self, CancellationToken) {
        let left = CancellationToken::new();
        (Self(left.clone().drop_guard()), left)
    }

    /// The response has a head.
    pub(crate) fn end(self) {
        self.0.disarm();
    }
}

/// The clients of one instance's tasks: as many as it serves requests in its life.
#[derive(Default)]
pub(crate) struct Departures(HashMap<GuestTaskId, CancellationToken>);

impl Departures {
    /// A task begins for a client.
    pub(crate) fn watch(&mut self, task: GuestTaskId, left: CancellationToken) {
        self.0.insert(task, left);
    }
}

/// The sign that the client of the calling task has left.
fn of_caller(mut store: StoreContextMut<'_, Guest>) -> wasmtime::Result<Option<CancellationToken>> {
    let task = store.async_call_stack()?.last();
    Ok(task.and_then(|task| store.data().departures.0.get(&task).cloned()))
}

/// The way out, for as long as the client is there.
pub(crate) struct WhileClientStays;

impl HasData for WhileClientStays {
    type Data<'a> = WasiHttpCtxView<'a>;
}

impl HostWithStore<Guest> for WhileClientStays {
    async fn send(
        store: &Accessor<Guest, Self>,
        request: Resource<Request>,
    ) -> Result<Resource<Response>, TrappableError<ErrorCode>> {
        let left = store.with(|mut store| of_caller(store.as_context_mut())).map_err(TrappableError::trap)?;
        let http = store.with_getter::<WasiHttp>(Guest::http);
        let sent = WasiHttp::send(&http, request);
        let Some(left) = left else { return sent.await };
        left.run_until_cancelled(sent).await.unwrap_or_else(|| Err(ErrorCode::HttpRequestDenied.into()))
    }
}

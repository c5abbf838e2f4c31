//! The HTTP side: connections, limits, the verified hop from the edge, and a shutdown that finishes what runs.

pub mod connection;
pub mod hop;
pub mod nonces;
pub mod observe;
pub mod signals;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use adlib_shared::problem::{Code, Problem};
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower_http::catch_panic::CatchPanicLayer;

use crate::api;
use crate::api::app::App;
use crate::api::refusal::Refusal;
use crate::api::writer::Writer;

use crate::settings::{HttpSettings, secret::HopSecrets};
use hop::Hop;

/// Pause after a connection could not be accepted, which otherwise repeats at once: no file descriptors are left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// A bound service.
pub struct Server<W> {
    listener: TcpListener,
    app: Arc<App<W>>,
    service: Router,
    settings: HttpSettings,
}

/// How a shutdown ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every running request was finished.
    Complete,
    /// Some connections were cut when the time was over.
    Cut {
        /// How many.
        connections: usize,
    },
}

impl<W: Writer> Server<W> {
    /// Binds the address; nothing is answered before [`run`](Self::run).
    pub async fn bind(
        listen: SocketAddr,
        settings: HttpSettings,
        hop: Option<HopSecrets>,
        app: Arc<App<W>>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let service = service(app.clone(), hop.map(|secrets| Arc::new(Hop::new(secrets))));
        Ok(Self { listener, app, service, settings })
    }

    /// The address that is bound, with the port that the system chose where 0 was asked for.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then shuts down: not ready, no new connections, what runs is finished within the bound.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Drained {
        let Self { listener, app, service, settings } = self;
        let graceful = GracefulShutdown::new();
        let permits = Arc::new(Semaphore::new(settings.connections_max));
        // Connections end with this set, so that nothing outlives a shutdown whose time is over.
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &permits) => accepted,
                Some(_) = connections.join_next() => continue,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, permit)) => {
                    let serving = connection::serve(stream, service.clone(), graceful.watcher());
                    connections.spawn(async move {
                        serving.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
        app.drain();
        drop(listener);
        tracing::info!(connections = graceful.count(), bound_s = settings.drain.as_secs(), "draining");
        match tokio::time::timeout(settings.drain, graceful.shutdown()).await {
            Ok(()) => Drained::Complete,
            Err(_) => Drained::Cut { connections: settings.connections_max - permits.available_permits() },
        }
    }
}

/// The next connection, once there is room for it; until then clients wait in the listen queue.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

/// The routes with everything around them, outermost last.
fn service<W: Writer>(app: Arc<App<W>>, hop: Option<Arc<Hop>>) -> Router {
    api::router(app)
        .layer(from_fn_with_state(hop, hop::admit))
        .layer(CatchPanicLayer::custom(|_| panicked()))
        .layer(from_fn(observe::observe))
}

/// A panic is a fault of ours; the panic hook has logged it, and the client learns only that.
fn panicked() -> Response {
    Refusal(Problem::new(Code::Internal, "the request could not be answered")).into_response()
}

#[cfg(test)]
mod tests;

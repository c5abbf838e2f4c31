//! Accepts connections and serves each until the client, a limit or the shutdown ends it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits::Limits;
use crate::server::Server;

/// After a failed accept (no file descriptor is left, mostly) the next try waits this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Accepts until `closing`; the connections are the tracker's tasks.
pub(crate) async fn accept(
    listener: TcpListener,
    server: Arc<Server>,
    connections: TaskTracker,
    closing: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(server.limits.connections_max));
    let builder = Arc::new(builder(&server.limits));
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            biased;
            () = closing.cancelled() => return,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, client)) => {
                let (server, builder, closing) = (Arc::clone(&server), Arc::clone(&builder), closing.clone());
                connections.spawn(async move {
                    let _place = place;
                    serve(stream, client, &builder, server, closing).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time_max)
        .max_headers(limits.headers_max)
        .max_buf_size(limits.head_bytes_max);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.head_time_max)
        .max_concurrent_streams(u32::try_from(limits.requests_max).unwrap_or(u32::MAX))
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX));
    builder
}

async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    builder: &Builder<TokioExecutor>,
    server: Arc<Server>,
    closing: CancellationToken,
) {
    // A reply in two segments would wait for a delayed acknowledgement otherwise: 40 ms instead of one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(server.answer(request, client).await) }
    });
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended early");
    }
}

//! One client's connection.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;

use crate::telemetry::metrics;

/// Longest wait for a request's head: on a new connection, and between requests on an open one.
pub const HEADER_READ_MAX: Duration = Duration::from_secs(30);
/// Longest wait for a client that does not read what is written to it.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(30);
/// Bytes of a request's head, and of what is buffered of its body.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Header lines of a request.
pub const HEADERS_MAX: usize = 64;

/// Serves requests until the client closes, a limit of time passes, or the server drains and nothing runs.
///
/// Where the client closes while a request runs, its future or body is dropped: that cancels the work.
pub async fn serve(stream: TcpStream, service: Router, watcher: Watcher) {
    // Events are small and each one counts; a connection that refuses the option is still served.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_STALL_MAX));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(service));
    metrics::count_connection(1.0);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection broke");
    }
    metrics::count_connection(-1.0);
}

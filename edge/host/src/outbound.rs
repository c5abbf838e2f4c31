//! Requests the component sends: to allowed hosts only, over kept connections, within the component's time-outs.

mod body;
mod failure;

use std::pin::pin;
use std::sync::Arc;

use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::sleep;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::allowed_hosts::AllowedHosts;
use crate::limits::Limits;
use body::TimedBody;

/// The one client of all instances.
pub(crate) struct Outbound {
    client: Client<HttpsConnector<HttpConnector>, WasiBody>,
    allowed: AllowedHosts,
    defaults: RequestOptions,
}

impl Outbound {
    pub(crate) fn new(allowed: AllowedHosts, limits: &Limits) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        // Without it a request in two segments waits for a delayed acknowledgement.
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits.outbound_idle_time_max)
            .pool_max_idle_per_host(limits.outbound_idle_connections_max)
            .build(connector);
        let defaults = RequestOptions {
            connect_timeout: Some(limits.outbound_connect_time_max),
            first_byte_timeout: Some(limits.outbound_wait_max),
            between_bytes_timeout: Some(limits.outbound_wait_max),
        };
        Self { client, allowed, defaults }
    }

    /// Whether the manifest allows this host.
    pub(crate) fn allows(&self, uri: &Uri) -> bool {
        self.allowed.allow(uri)
    }

    async fn send(
        self: Arc<Self>,
        mut request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>, Error> {
        if !self.allowed.allow(request.uri()) {
            tracing::warn!(
                scheme = request.uri().scheme_str(),
                host = request.uri().host(),
                port = request.uri().port_u16(),
                "the component sent a request to a host that its manifest does not allow"
            );
            return Err(Error::HttpRequestDenied);
        }
        let connection = capture_connection(&mut request);
        let mut response = pin!(self.client.request(request));
        let connect = options.connect_timeout.or(self.defaults.connect_timeout).unwrap_or_default();
        let wait = options.first_byte_timeout.or(self.defaults.first_byte_timeout).unwrap_or_default();
        let response = tokio::select! {
            biased;
            response = &mut response => response,
            () = unconnected(connection, connect) => return Err(Error::ConnectionTimeout),
            () = sleep(wait) => return Err(Error::ConnectionReadTimeout),
        };
        let between =
            options.between_bytes_timeout.or(self.defaults.between_bytes_timeout).unwrap_or_default();
        let response = response.map_err(|error| failure::of(&error))?;
        Ok(response.map(|body| TimedBody::new(body, between).boxed_unsync()))
    }
}

/// Resolves when the time is over and there is still no connection; never when there is one in time.
async fn unconnected(mut connection: CaptureConnection, time: std::time::Duration) {
    let connected = tokio::time::timeout(time, connection.wait_for_connection_metadata()).await.is_ok();
    if connected {
        std::future::pending::<()>().await;
    }
}

/// One instance's way to the client.
pub(crate) struct Hooks {
    outbound: Arc<Outbound>,
}

impl Hooks {
    pub(crate) fn new(outbound: Arc<Outbound>) -> Self {
        Self { outbound }
    }
}

/// How a request's or response's transmission ended.
type Ended = Box<dyn Future<Output = Result<(), Error>> + Send>;
/// What `wasi:http` waits for.
type Answer = Box<dyn Future<Output = Result<(Response<WasiBody>, Ended), Error>> + Send>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Ended,
    ) -> Answer {
        let outbound = Arc::clone(&self.outbound);
        Box::new(async move {
            let response = outbound.send(request, options.unwrap_or_default()).await?;
            // The client drives the connection itself, so nothing is left to wait for.
            Ok((response, Box::new(async { Ok(()) }) as Ended))
        })
    }
}

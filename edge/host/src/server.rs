//! From a client's request to its response.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{ExpirationError, InstantiationError, ProxyHandler};

use crate::departure::Presence;
use crate::instances::{Asked, InstanceError, Instances};
use crate::limits::Limits;
use crate::reply::{self, Refusal};
use crate::request;
use crate::response_body::ResponseBody;
use crate::routes::Route;

/// Paths under this prefix belong to the host.
const WELL_KNOWN: &str = "/.well-known/spin/";
/// While all instances are taken, one of them may become free for a further request without leaving.
const RETRY_AFTER: Duration = Duration::from_millis(5);

/// Answers requests; shared by all connections.
pub(crate) struct Server {
    handler: ProxyHandler<Instances>,
    routes: Vec<Route>,
    requests: Arc<Semaphore>,
    pub(crate) limits: Limits,
}

impl Server {
    pub(crate) fn new(instances: Instances, routes: Vec<Route>, limits: Limits) -> Self {
        let requests = Arc::new(Semaphore::new(limits.requests_max));
        Self { handler: ProxyHandler::new(instances), routes, requests, limits }
    }

    /// Resolves when the last instance is gone.
    pub(crate) async fn idle(&self) {
        self.handler.state().gone().await;
    }

    /// Answers one request, whatever happens.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
    ) -> Response<ResponseBody> {
        let deadline = Instant::now() + self.limits.request_time_max;
        if let Some(rest) = request.uri().path().strip_prefix(WELL_KNOWN) {
            return if rest == "health" { reply::healthy() } else { Refusal::NoRoute.response() };
        }
        let request = match self.prepare(request, client) {
            Ok(request) => request,
            Err(response) => return *response,
        };
        let Ok(permit) = Arc::clone(&self.requests).try_acquire_owned() else {
            return Refusal::Overloaded.response();
        };
        let permit = Arc::new(permit);
        match self.ask(request, &permit).await {
            Ok(response) => reply::guest(response, permit, deadline),
            Err(refusal) => refusal.response(),
        }
    }

    fn prepare(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
    ) -> Result<Request<WasiBody>, Box<Response<ResponseBody>>> {
        let (mut parts, body) = request.into_parts();
        request::make_absolute(&mut parts).map_err(|why| Box::new(reply::malformed(why)))?;
        let path = parts.uri.path().to_owned();
        let matched = self.routes.iter().find_map(|route| Some((route, route.matches(&path)?)));
        let (route, path_info) = matched.ok_or_else(|| Box::new(Refusal::NoRoute.response()))?;
        request::set_spin_headers(&mut parts, route, path_info, client)
            .map_err(|_| Box::new(reply::malformed("the target cannot be told to the application")))?;
        let body = request::body(&parts.headers, body, self.limits.request_body_bytes_max)
            .ok_or_else(|| Box::new(Refusal::BodyTooLarge.response()))?;
        Ok(Request::from_parts(parts, body))
    }

    /// Hands the request to an instance, waiting a bounded time while all are taken.
    async fn ask(
        &self,
        mut request: Request<WasiBody>,
        permit: &Arc<OwnedSemaphorePermit>,
    ) -> Result<Response<WasiBody>, Refusal> {
        let give_up = Instant::now() + self.limits.instance_wait_max;
        let (presence, left) = Presence::begin();
        loop {
            let asked = Asked { permit: Arc::clone(permit), left: left.clone() };
            let error = match self.handler.handle(asked, request).await {
                Ok(response) => {
                    presence.end();
                    return Ok(response);
                }
                Err(error) => error,
            };
            match error.downcast::<InstantiationError<Asked>>() {
                Ok(none) => {
                    if !matches!(none.error.downcast_ref(), Some(InstanceError::NoPlace(_))) {
                        tracing::error!(error = format!("{:#}", none.error), "the component did not start");
                        return Err(Refusal::Failed);
                    }
                    if Instant::now() >= give_up {
                        return Err(Refusal::Overloaded);
                    }
                    // Either is a reason to try again.
                    let _ = timeout(RETRY_AFTER, self.handler.state().place()).await;
                    request = none.request.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
                }
                Err(error) if error.is::<ExpirationError>() => return Err(Refusal::Late),
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "a request failed in the component");
                    return Err(Refusal::Failed);
                }
            }
        }
    }
}

//! The hop to the origins: every request is signed, bounded in time, and carries what lets it be traced.
//!
//! [`origins`] says which origin is asked first, [`breaker`] which is left alone for a while, [`attempts`] when another
//! one is asked instead.

pub mod attempts;
pub mod budget;
pub mod latency;
pub mod origins;
pub mod trace;

use std::time::{Duration, Instant};

use adlib_shared::deadline::{self, DEADLINE};
use adlib_shared::problem::Code;
use adlib_shared::signature::{self, Parts, SignatureError, Signed};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Request};

pub use self::origins::Origins;
pub use self::trace::Trace;
use crate::call::Call;
use crate::failure::Failure;
use crate::settings::{OriginUrl, Settings, Timeouts};
use crate::world::World;

/// In whose name the edge asks where it asks for itself; no tenant can have this name.
pub const NO_TENANT: &str = "-";

/// What the edge asks of an origin.
#[derive(Debug)]
pub struct Ask<'a> {
    /// The method.
    pub method: Method,
    /// The route, without a query.
    pub route: &'static str,
    /// In whose name.
    pub tenant: &'a str,
    /// How the prompt begins: what is asked with the same beginning goes to the same origin.
    pub prefix: &'a str,
    /// The media type that the answer should have.
    pub accept: &'static str,
    /// JSON, or nothing.
    pub body: Bytes,
    /// How long the origin may take.
    pub timeouts: Timeouts,
}

/// Why a request could not be made. None of these depends on what a client sends.
#[derive(Debug, thiserror::Error)]
enum HopError {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Head(#[from] http::Error),
}

impl Ask<'_> {
    /// The request to one origin, signed now with a nonce of its own. The origin learns how much time is left.
    fn request<W: World>(
        &self,
        world: &W,
        settings: &Settings,
        call: &Call,
        url: &OriginUrl,
        left: Duration,
    ) -> Result<Request<Bytes>, Failure> {
        let nonce = format!("{:032x}", world.entropy());
        self.sign(settings, call, url, &nonce, left).map_err(|error| {
            Failure::new(Code::Internal, "the request to the origin cannot be made").because(error)
        })
    }

    fn sign(
        &self,
        settings: &Settings,
        call: &Call,
        url: &OriginUrl,
        nonce: &str,
        left: Duration,
    ) -> Result<Request<Bytes>, HopError> {
        let Self { method, route, tenant, prefix: _, accept, body, timeouts: _ } = self;
        let digest = signature::content_digest(body);
        let parts = Parts {
            method: method.as_str(),
            path: route,
            content_digest: &digest,
            tenant,
            request_id: call.id.as_str(),
        };
        let Signed { input, signature } =
            signature::sign(&settings.hop_secret, &parts, call.clock_ms() / 1000, nonce)?;
        let mut request = Request::builder()
            .uri(url.join(route))
            .header(ACCEPT, *accept)
            .header(CONTENT_LENGTH, body.len())
            .header(DEADLINE, deadline::format(left))
            .header(signature::CONTENT_DIGEST, &digest)
            .header(signature::TENANT, *tenant)
            .header(signature::REQUEST_ID, call.id.as_str())
            .header(signature::SIGNATURE_INPUT, input)
            .header(signature::SIGNATURE, signature)
            .method(method);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let mut request = request.body(body.clone())?;
        call.trace.mark(request.headers_mut());
        Ok(request)
    }

    /// What is left of the time until a deadline; `deadline_exceeded` where nothing is.
    fn left(deadline: Instant) -> Result<Duration, Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::new(Code::DeadlineExceeded, "the request's time is over"));
        }
        Ok(left)
    }
}

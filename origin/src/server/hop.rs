//! The hop from the edge: reads a request's body within its limit and, where a secret is configured, lets only requests
//! through that the edge has signed over exactly that body.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use adlib_shared::limits;
use adlib_shared::problem::{Code, Problem};
use adlib_shared::signature::{self, Parts, SignatureError, Verified};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::nonces::{Nonce, Nonces};
use crate::api::record::Record;
use crate::api::refusal::Refusal;
use crate::api::{BATCH, SIGNED_PREFIX, body};
use crate::settings::secret::HopSecrets;

/// Seconds after which to try again when no more nonces can be remembered.
const RETRY_NO_ROOM_S: u32 = 5;

/// Verifies requests of one hop.
#[derive(Debug)]
pub struct Hop {
    secrets: HopSecrets,
    nonces: Nonces,
}

/// Passes a request on with its whole body in memory, or refuses it.
pub async fn admit(State(hop): State<Option<Arc<Hop>>>, request: Request, next: Next) -> Response {
    match admitted(hop.as_deref(), request).await {
        Ok(request) => next.run(request).await,
        Err(problem) => Refusal(problem).into_response(),
    }
}

async fn admitted(hop: Option<&Hop>, request: Request) -> Result<Request, Problem> {
    let (head, body) = request.into_parts();
    let bytes_max =
        if head.uri.path() == BATCH { limits::BATCH_BODY_BYTES_MAX } else { limits::BODY_BYTES_MAX };
    let bytes = body::read(&head.headers, body, bytes_max).await?;
    if let Some(hop) = hop.filter(|_| head.uri.path().starts_with(SIGNED_PREFIX)) {
        let tenant = hop.verify(&head.method, head.uri.path(), &head.headers, &bytes)?;
        if let Some(record) = head.extensions.get::<Record>() {
            record.note_tenant(&tenant);
        }
    }
    Ok(Request::from_parts(head, Body::from(bytes)))
}

impl Hop {
    /// A hop whose requests are signed with one of these secrets.
    pub fn new(secrets: HopSecrets) -> Self {
        Self { secrets, nonces: Nonces::default() }
    }

    /// The tenant that the edge vouches for.
    ///
    /// # Errors
    /// `unauthorized` where the signature is missing, wrong, stale or was used before. The client is not told which of
    /// the signature's parts is wrong; the log is.
    fn verify(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<String, Problem> {
        let refused = |reason: &dyn std::fmt::Display| {
            tracing::warn!(%reason, "a request of the hop was refused");
            Problem::new(Code::Unauthorized, "the request is not signed as the hop requires")
        };
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (tenant, verified) =
            self.verified(method, path, headers, body, now_s).map_err(|error| refused(&error))?;
        match self.nonces.consume(&verified.nonce, verified.created_s, now_s) {
            Nonce::Fresh => Ok(tenant.to_owned()),
            Nonce::Replayed => Err(refused(&"the nonce was used before")),
            Nonce::NoRoom => Err(Problem::new(Code::Overloaded, "too many requests at this time")
                .with_retry_after_s(RETRY_NO_ROOM_S)),
        }
    }

    fn verified<'a>(
        &self,
        method: &Method,
        path: &str,
        headers: &'a HeaderMap,
        body: &[u8],
        now_s: u64,
    ) -> Result<(&'a str, Verified), SignatureError> {
        let content_digest = only(headers, signature::CONTENT_DIGEST)?;
        let tenant = only(headers, signature::TENANT)?;
        let request_id = only(headers, signature::REQUEST_ID)?;
        let parts = Parts { method: method.as_str(), path, content_digest, tenant, request_id };
        let input = only(headers, signature::SIGNATURE_INPUT)?;
        let signature = only(headers, signature::SIGNATURE)?;
        let verified = signature::verify(self.secrets.accepted(), &parts, input, signature, now_s)?;
        signature::verify_content_digest(content_digest, body)?;
        Ok((tenant, verified))
    }
}

/// The value of a header that must stand in the request exactly once, so that nobody reads another one than was signed.
fn only<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, SignatureError> {
    let mut values = headers.get_all(name).into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| SignatureError::Value(name)),
        _ => Err(SignatureError::Malformed(name)),
    }
}

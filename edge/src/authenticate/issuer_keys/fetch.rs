//! Fetching the issuer's keys.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http::header::{ACCEPT, CONTENT_LENGTH};
use http::{Request, StatusCode};

use crate::answer::is_of_type;
use crate::authenticate::key_set::{KEY_SET_BYTES_MAX, KeySet, KeySetError};
use crate::body::{ReadError, collect};
use crate::edge::Edge;
use crate::settings::{Issuer, Timeouts};
use crate::world::{SendError, World};

/// How long the issuer may take, from the first attempt to the last byte.
pub(super) const FETCH_TIME_MAX: Duration = Duration::from_secs(3);
/// How long it may take for a connection, for the first byte, and between two pieces.
const STEP_TIME_MAX: Duration = Duration::from_secs(2);
/// The media types of a set (RFC 7517, section 8.5.2); most issuers use the general one.
const TYPES: [&str; 2] = ["application/jwk-set+json", "application/json"];

/// Why there is no set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FetchError {
    /// There is no answer, or not a whole one.
    #[error("no answer: {0}")]
    Send(String),
    /// It took too long.
    #[error("no whole answer within {} s", FETCH_TIME_MAX.as_secs())]
    Late,
    /// The answer is not a success. Redirects are not followed.
    #[error("the answer has the status {0}")]
    Status(u16),
    /// The answer is not JSON.
    #[error("the answer is not of the type {}", TYPES.join(" or "))]
    Type,
    /// The answer is too long.
    #[error("the answer has more than {KEY_SET_BYTES_MAX} bytes")]
    TooLarge,
    /// The answer is not a set.
    #[error(transparent)]
    Set(#[from] KeySetError),
}

impl From<SendError> for FetchError {
    fn from(error: SendError) -> Self {
        let (SendError::Unreachable(cause)
        | SendError::TimedOut(cause)
        | SendError::Broken(cause)
        | SendError::Denied(cause)) = error;
        Self::Send(cause)
    }
}

/// The set that the issuer publishes now, as it came and read.
pub(super) async fn fetch<W: World>(edge: &Edge<W>, issuer: &Issuer) -> Result<(String, KeySet), FetchError> {
    match select(pin!(ask(&*edge.world, issuer)), pin!(edge.world.sleep(FETCH_TIME_MAX))).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err(FetchError::Late),
    }
}

async fn ask<W: World>(world: &W, issuer: &Issuer) -> Result<(String, KeySet), FetchError> {
    let timeouts = Timeouts {
        connect: STEP_TIME_MAX,
        first_byte: STEP_TIME_MAX,
        between_bytes: STEP_TIME_MAX,
        total: FETCH_TIME_MAX,
    };
    let request = Request::get(&issuer.keys_url)
        .header(ACCEPT, TYPES.join(", "))
        .header(CONTENT_LENGTH, 0)
        .body(Bytes::new())
        .map_err(|error| FetchError::Send(error.to_string()))?;
    let (head, body) = world.send(request, timeouts).await?.into_parts();
    if head.status != StatusCode::OK {
        return Err(FetchError::Status(head.status.as_u16()));
    }
    if !TYPES.iter().any(|known| is_of_type(&head.headers, known)) {
        return Err(FetchError::Type);
    }
    let body = collect(body, None, KEY_SET_BYTES_MAX).await.map_err(|error| match error {
        ReadError::TooLarge => FetchError::TooLarge,
        ReadError::Failed(error) => error.into(),
    })?;
    let keys = KeySet::parse(&body)?;
    // It has been read, so it is UTF-8.
    let set = String::from_utf8_lossy(&body).into_owned();
    Ok((set, keys))
}

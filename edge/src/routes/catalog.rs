//! `GET /v1/channels`, `/v1/tones`, `/v1/frameworks`, `/v1/models`, and the index: what there is.

use std::rc::Rc;

use adlib_shared::catalog;
use adlib_shared::problem::Code;
use http::header::{ETAG, HeaderMap};
use serde::Serialize;
use twox_hash::XxHash3_128;

use crate::call::Call;
use crate::edge::Edge;
use crate::etag;
use crate::failure::Failure;
use crate::reply::{Body, Reply};
use crate::world::World;

/// `GET /`: where to go on.
pub fn index() -> Result<Reply, Failure> {
    let routes = [
        "POST /v1/copy",
        "QUERY /v1/copy",
        "POST /v1/copy/batch",
        "GET /v1/copies/{id}",
        "POST /v1/check",
        "GET /v1/channels",
        "GET /v1/tones",
        "GET /v1/frameworks",
        "GET /v1/models",
        "GET /v1/stats",
        "GET /metrics",
        "GET /healthz",
        "GET /readyz",
    ];
    json(&serde_json::json!({ "name": "adlib", "version": env!("CARGO_PKG_VERSION"), "routes": routes }))
}

/// `GET /v1/channels`.
pub fn channels(call: &Call) -> Result<Reply, Failure> {
    Ok(conditional(call.headers(), json(&catalog::channels())?))
}

/// `GET /v1/tones`.
pub fn tones(call: &Call) -> Result<Reply, Failure> {
    Ok(conditional(call.headers(), json(&catalog::tones())?))
}

/// `GET /v1/frameworks`.
pub fn frameworks(call: &Call) -> Result<Reply, Failure> {
    Ok(conditional(call.headers(), json(&catalog::frameworks())?))
}

/// `GET /v1/models`: what the origin runs, a few seconds old at most if it answers.
pub async fn models<W: World>(edge: &Rc<Edge<W>>, call: &Call) -> Result<Reply, Failure> {
    let known = edge.models.current(edge, call).await?;
    Ok(conditional(call.headers(), json(&known.list)?))
}

/// `200` with a value as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<Reply, Failure> {
    let body = serde_json::to_vec(value)
        .map_err(|error| Failure::new(Code::Internal, "the answer cannot be written").because(error))?;
    Ok(Reply::json(body))
}

/// Gives a reply its entity tag, and leaves the body out where the client has it already.
fn conditional(request: &HeaderMap, mut reply: Reply) -> Reply {
    let Body::Whole(body) = &reply.body else { return reply };
    let tag = etag::strong(XxHash3_128::oneshot(body));
    reply.set(ETAG, tag);
    reply.unless_known(request)
}

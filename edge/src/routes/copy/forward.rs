//! A brief that the cache cannot answer goes to the origin.

use std::rc::Rc;
use std::time::Instant;

use adlib_shared::brief::Brief;
use adlib_shared::copy::Copy;
use adlib_shared::deadline::{self, DEADLINE};
use adlib_shared::event;
use adlib_shared::problem::Code;
use http::header::ETAG;
use http::{Method, StatusCode};

use super::CACHE_STATUS;
use crate::answer::{self, ANSWER_BYTES_MAX};
use crate::authenticate::Caller;
use crate::cache::{CacheStatus, Forward};
use crate::call::Call;
use crate::edge::Edge;
use crate::etag;
use crate::failure::Failure;
use crate::hop::Ask;
use crate::keep::Keep;
use crate::relay::relay;
use crate::reply::Reply;
use crate::settings::Timeouts;
use crate::world::{Incoming, World};

/// Asks the origin and passes its answer on.
///
/// # Errors
/// The origin's problem, or what kept it from answering.
pub(super) async fn forward<W: World>(
    edge: &Rc<Edge<W>>,
    call: &mut Call,
    caller: &Caller,
    brief: &Brief,
    keep: Option<Keep>,
    reason: Forward,
) -> Result<Reply, Failure> {
    let settings = edge.settings()?;
    let expected = if brief.stream { event::CONTENT_TYPE } else { "application/json" };
    let ask = Ask {
        method: Method::POST,
        route: "/v1/copy",
        tenant: &caller.tenant,
        prefix: &prefix(&caller.tenant, brief),
        accept: expected,
        body: brief.to_json().into(),
        timeouts: granted(settings.timeouts, call)?,
    };
    let began = Instant::now();
    call.note(CACHE_STATUS, &CacheStatus::Forward { reason, stored: false });
    let (head, body) = ask.send(edge, call).await?.into_parts();
    call.time("origin", began);
    if head.status != StatusCode::OK {
        return Err(answer::failure(&head, body).await);
    }
    if !answer::is_of_type(&head.headers, expected) {
        let failure = Failure::new(Code::OriginFailed, "the origin gave no usable answer");
        return Err(failure.because(format_args!("{expected} was asked for, but not sent")));
    }
    if brief.stream {
        return Ok(Reply::events(relay(Rc::clone(edge), call.id.clone(), body, keep)));
    }
    whole(edge, call, body, keep, reason).await
}

/// How the brief's prompt begins at the origin, whose KV cache is salted with the tenant: the first two lines of the card,
/// which the briefs of one campaign share. None of the three can hold a line end.
fn prefix(tenant: &str, brief: &Brief) -> String {
    format!("{tenant}\n{}\n{}", brief.channel.id, brief.product.name)
}

/// How long the origin may take: what is left of the time that the edge grants, or of the client's own where that is less.
fn granted(timeouts: Timeouts, call: &Call) -> Result<Timeouts, Failure> {
    let mut total = timeouts.total;
    if let Some(wanted) = call.headers().get(DEADLINE) {
        total = total.min(deadline::parse(wanted.as_bytes())?);
    }
    Ok(Timeouts { total: total.saturating_sub(call.elapsed()), ..timeouts })
}

/// Takes the copy whole, keeps it, and passes on the origin's own bytes.
async fn whole<W: World>(
    edge: &Edge<W>,
    call: &mut Call,
    body: Incoming,
    keep: Option<Keep>,
    reason: Forward,
) -> Result<Reply, Failure> {
    let body = answer::whole(body, ANSWER_BYTES_MAX).await?;
    let copy: Copy = serde_json::from_slice(&body).map_err(|error| {
        Failure::new(Code::OriginFailed, "the origin gave no usable answer").because(error)
    })?;
    let mut reply = Reply::json(body.clone());
    let Some(keep) = keep else { return Ok(reply) };
    if let Some(entry) = keep.body(edge, &call.id, &copy, body).await {
        reply.set(ETAG, etag::strong(entry.digest));
        call.note(CACHE_STATUS, &CacheStatus::Forward { reason, stored: true });
    }
    Ok(reply)
}

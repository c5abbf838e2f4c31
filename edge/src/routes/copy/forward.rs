//! A brief that the cache cannot answer goes to the origin.

use std::rc::Rc;
use std::time::Instant;

use adlib_shared::brief::Brief;
use adlib_shared::copy::Copy;
use adlib_shared::deadline::{self, DEADLINE};
use adlib_shared::event;
use adlib_shared::problem::Code;
use bytes::Bytes;
use http::header::ETAG;
use http::{Method, StatusCode};

use super::Asked;
use crate::answer::{self, ANSWER_BYTES_MAX};
use crate::cache::{CacheStatus, Forward, Forwarded};
use crate::call::Call;
use crate::edge::Edge;
use crate::etag;
use crate::failure::Failure;
use crate::flight::prolonging;
use crate::grant::{Grant, estimate};
use crate::hop::Ask;
use crate::keep::Keep;
use crate::log;
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
    asked: &Asked,
    keep: Option<Keep>,
    reason: Forward,
) -> Result<Reply, Failure> {
    let began = Instant::now();
    call.record.cache(CacheStatus::Forward(reason.into()));
    let mut grant = Grant::of(edge, call, &asked.caller, estimate(&asked.brief)).await?;
    let leases = keep.iter().filter_map(Keep::lease).chain(grant.leases());
    let outcome = prolonging(edge, &call.id, call.now_ms, leases, ask(edge, call, asked)).await;
    call.time("origin", began);
    match outcome {
        Ok(Answer::Events(incoming)) => Ok(Reply::events(relay(call, incoming, keep, grant))),
        Ok(Answer::Whole(copy, body)) => {
            grant.settle(copy.usage);
            let mut reply = Reply::json(body.clone());
            if let Some(keep) = keep
                && let Some(entry) = keep.body(edge, &call.id, &copy, body).await
            {
                reply.set(ETAG, etag::strong(entry.digest));
                call.record.cache(CacheStatus::Forward(Forwarded { stored: true, ..reason.into() }));
            }
            Ok(reply)
        }
        Err(failure) => {
            grant.fail(&failure);
            if let Some(keep) = keep {
                keep.failure(edge, &call.id, &failure).await;
            }
            Err(failure)
        }
    }
}

/// What the origin answered.
enum Answer {
    /// A stream that has begun.
    Events(Incoming),
    /// A copy, and the origin's own bytes.
    Whole(Box<Copy>, Bytes),
}

async fn ask<W: World>(edge: &Rc<Edge<W>>, call: &Call, asked: &Asked) -> Result<Answer, Failure> {
    let settings = edge.settings()?;
    let expected = if asked.as_events { event::CONTENT_TYPE } else { "application/json" };
    let mut brief = Brief::clone(&asked.brief);
    brief.stream = asked.as_events;
    let ask = Ask {
        method: Method::POST,
        route: "/v1/copy",
        tenant: &asked.caller.tenant,
        prefix: &prefix(&asked.caller.tenant, &asked.brief),
        accept: expected,
        body: brief.to_json().into(),
        timeouts: granted(settings.timeouts, call)?,
    };
    let (head, body) = ask.send(edge, call).await?.into_parts();
    if head.status != StatusCode::OK {
        return Err(answer::failure(&head, body).await);
    }
    let unusable = || Failure::new(Code::OriginFailed, "the origin gave no usable answer");
    if !answer::is_of_type(&head.headers, expected) {
        return Err(unusable().because(format_args!("{expected} was asked for, but not sent")));
    }
    if asked.as_events {
        return Ok(Answer::Events(body));
    }
    let body = answer::whole(body, ANSWER_BYTES_MAX).await?;
    let copy = serde_json::from_slice(&body).map_err(|error| unusable().because(log::place(&error)))?;
    Ok(Answer::Whole(Box::new(copy), body))
}

/// How the brief's prompt begins at the origin, whose KV cache is salted with the tenant: the first two lines of the card,
/// which the briefs of one campaign share. None of the three can hold a line end.
fn prefix(tenant: &str, brief: &Brief) -> String {
    format!("{tenant}\n{}\n{}", brief.channel.id, brief.product.name)
}

/// How long the origin may take: what is left of the time that the edge grants, or of the client's own where that is less.
pub(super) fn granted(timeouts: Timeouts, call: &Call) -> Result<Timeouts, Failure> {
    let mut total = timeouts.total;
    if let Some(wanted) = call.headers().get(DEADLINE) {
        total = total.min(deadline::parse(wanted.as_bytes())?);
    }
    Ok(Timeouts { total: total.saturating_sub(call.elapsed()), ..timeouts })
}

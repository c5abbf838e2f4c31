//! `POST /v1/copy`: a brief becomes copy, from the cache or from the origin.

mod forward;
mod replay;

use std::rc::Rc;
use std::time::Instant;

use adlib_shared::brief::Brief;
use adlib_shared::cache_key::{CacheKey, Operation, Scope as KeyScope};
use adlib_shared::limits::BODY_BYTES_MAX;
use adlib_shared::problem::Code;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderValue, VARY};

use crate::admit::{Look, admit};
use crate::authenticate::{Caller, Scope};
use crate::body;
use crate::cache::{self, CacheStatus, Directives, Forward, Found};
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::keep::Keep;
use crate::log;
use crate::reply::Reply;
use crate::world::World;

/// The revision of what the edge makes of a brief beyond the brief itself. The origin's card is part of the model's
/// fingerprint.
const TEMPLATE_REVISION: u32 = 1;

/// The header that says how the cache took part.
const CACHE_STATUS: &str = "cache-status";

/// Answers a brief.
///
/// # Errors
/// What is wrong with the request, `only_if_cached`, or the origin's failure.
pub async fn copy<W, B>(
    edge: &Rc<Edge<W>>,
    call: &mut Call,
    caller: &Caller,
    body: B,
) -> Result<Reply, Failure>
where
    W: World,
    B: http_body::Body<Data = Bytes>,
{
    caller.require(Scope::Copy)?;
    let mut brief = read(edge, call, body).await?;
    brief.stream |= accepts_events(call.headers());
    let directives = Directives::of(call.headers());

    let keep = place(edge, call, caller, &brief, &directives).await?;
    let began = Instant::now();
    let entry = keep.as_ref().filter(|_| !directives.no_cache).map(|keep| keep.key.as_bytes());
    let visited = admit(edge, call, caller, Look { entry, tags: &[] }).await?;
    call.time("store", began);
    let reason = match &keep {
        Some(keep) => match look_up(edge, call, &brief, &directives, keep, visited.entry.as_deref()).await {
            Ok(reply) => return Ok(marked(reply)),
            Err(reason) => reason,
        },
        None => Forward::Bypass,
    };
    if directives.only_if_cached {
        call.note(CACHE_STATUS, &CacheStatus::Forward { reason, stored: false });
        return Err(Failure::new(
            Code::OnlyIfCached,
            "nothing is stored for this brief that the request accepts",
        ));
    }
    forward::forward(edge, call, caller, &brief, keep, reason).await.map(marked)
}

/// Reads and validates the brief.
async fn read<W, B>(edge: &Edge<W>, call: &Call, body: B) -> Result<Brief, Failure>
where
    W: World,
    B: http_body::Body<Data = Bytes>,
{
    body::expect_json(call.headers())?;
    let bytes = body::read(call.headers(), body, BODY_BYTES_MAX).await?;
    let languages: Vec<&str> = edge.settings()?.languages.iter().map(String::as_str).collect();
    Ok(Brief::parse(&bytes, &languages)?)
}

/// Where the brief's copy has its place in the cache; `None` where the cache takes no part.
///
/// # Errors
/// The origin's failure, where the model is not known without it.
async fn place<W: World>(
    edge: &Rc<Edge<W>>,
    call: &Call,
    caller: &Caller,
    brief: &Brief,
    directives: &Directives,
) -> Result<Option<Keep>, Failure> {
    let settings = edge.settings()?;
    let Some(ttl_s) = settings.cache_ttl_s.filter(|_| !directives.no_store) else { return Ok(None) };
    let known = edge.models.current(edge, call).await?;
    let Some(model) = known.writer() else { return Ok(None) };
    let scope = KeyScope::Tenant(&caller.tenant);
    let key = CacheKey::of(
        edge.cache_secret()?,
        scope,
        Operation::Copy,
        brief,
        &model.fingerprint,
        TEMPLATE_REVISION,
    );
    let fingerprint = model.fingerprint.clone();
    Ok(Some(Keep { key, fingerprint, ttl_s: ttl_s as u32, now_s: call.now_s() }))
}

/// The reply from the cache, or why there is none.
async fn look_up<W: World>(
    edge: &Edge<W>,
    call: &mut Call,
    brief: &Brief,
    directives: &Directives,
    keep: &Keep,
    stored: Option<&[u8]>,
) -> Result<Reply, Forward> {
    let key = keep.key.as_bytes();
    let (found, mut is_spent) = cache::judge(stored, key, directives, keep.ttl_s.into(), call.now_s());
    let reason = match found {
        Found::Hit { entry, age_s, ttl_s } => {
            if let Some(reply) = replay::replay(entry, age_s, brief.stream) {
                call.note(CACHE_STATUS, &CacheStatus::Hit { ttl_s });
                return Ok(reply);
            }
            // Its digest holds, so an older edge has written it, whose copies had another form.
            is_spent = true;
            Forward::UriMiss
        }
        Found::Miss(reason) => reason,
    };
    if is_spent && let Err(error) = edge.store.drop_entry(key).await {
        log::warn(&call.id, error);
    }
    Err(reason)
}

/// Whether the client asks for events by `Accept`.
fn accepts_events(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_events =
            parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(adlib_shared::event::CONTENT_TYPE));
        let is_refused = |part: &str| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.and_then(|weight| weight.parse::<f32>().ok()).is_some_and(|weight| weight <= 0.0)
        };
        is_events && !parts.any(is_refused)
    })
}

/// The headers of every copy: it is for this caller alone, and other caches have to ask again.
fn marked(mut reply: Reply) -> Reply {
    reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    reply.headers.append(VARY, HeaderValue::from_static("Authorization, Accept"));
    reply
}

#[cfg(test)]
mod tests;

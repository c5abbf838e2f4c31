//! `POST` and `QUERY /v1/copy`: a brief becomes copy, from the cache or from the origin.

pub(crate) mod batch;
pub(crate) mod briefs;
mod fetch;
mod forward;
pub(crate) mod place;
pub(crate) mod replay;

use std::rc::Rc;
use std::time::Instant;

use adlib_shared::brief::Brief;
use adlib_shared::cache_key::CacheKey;
use adlib_shared::limits::BODY_BYTES_MAX;
use adlib_shared::problem::{Code, Problem};
use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderValue, VARY};

use self::place::{Current, Place};
use crate::admit::{Look, admit};
use crate::authenticate::{Caller, Scope};
use crate::body;
use crate::cache::{CacheStatus, Detail, Directives, Entry, Epochs, Forward, Forwarded, Found, Held};
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::flight::Lead;
use crate::log;
use crate::reply::Reply;
use crate::world::World;

/// A brief, who sent it, and what they want of the cache.
#[derive(Debug, Clone)]
struct Asked {
    caller: Rc<Caller>,
    brief: Rc<Brief>,
    /// Whether the answer is to be a stream of events.
    as_events: bool,
    directives: Directives,
}

impl Asked {
    /// Whether it may bring the answer of a place for others too.
    fn may_lead(&self, place: &Place) -> bool {
        !self.directives.only_if_cached && self.directives.accept(place.newborn())
    }
}

/// Answers a brief.
///
/// # Errors
/// What is wrong with the request, `only_if_cached`, or the origin's failure.
pub async fn copy<W, B>(
    edge: &Rc<Edge<W>>,
    call: &mut Call,
    caller: &Rc<Caller>,
    body: B,
) -> Result<Reply, Failure>
where
    W: World,
    B: http_body::Body<Data = Bytes>,
{
    caller.require(Scope::Copy)?;
    let bytes = body::json(call.headers(), body, BODY_BYTES_MAX).await?;
    let languages = &edge.settings()?.languages;
    let known = edge.briefs.find(&caller.tenant, bytes, |bytes| Brief::parse(bytes, languages))?;
    let asked = Asked {
        caller: Rc::clone(caller),
        brief: Rc::clone(&known.brief),
        as_events: known.brief.stream || accepts_events(call.headers()),
        directives: Directives::of(call.headers()),
    };

    let place = known.place(edge, call, &asked.directives).await?;
    let began = Instant::now();
    let names = place.as_ref().map_or(&[][..], |place| &place.epochs);
    let wanted = place.as_ref().filter(|_| !asked.directives.no_cache);
    let hot = wanted.and_then(|place| edge.hot.find(place.key.as_bytes(), call.now_ms));
    let wanted = wanted.filter(|_| hot.is_none());
    let mut lead =
        wanted.filter(|place| asked.may_lead(place)).and_then(|place| edge.flights.lead(place.key));
    let lease = lead.as_ref().map(|lead| lead.new_lease(edge));
    let entry = wanted.map(|place| place.key.as_bytes());
    let look = Look { entry, lease: lease.as_ref(), tags: names, further: 0 };
    let visited = admit(edge, call, caller, look).await?;
    if let Some((lead, lease)) = lead.as_mut().zip(lease.filter(|_| visited.is_leased)) {
        lead.hold(edge, &call.id, lease);
    }
    call.time("store", began);
    let Some(place) = &place else {
        return forward_alone(edge, call, &asked, Forward::Bypass).await.map(marked);
    };
    let Some(epochs) = Epochs::fold(names, &visited.epochs) else {
        // The store has failed, so nothing is known about what was stored or purged.
        drop(lead);
        return forward_alone(edge, call, &asked, Forward::UriMiss).await.map(marked);
    };
    let current = Current { place: Rc::clone(place), epochs };
    let found = find(edge, call, &asked, &current, hot, visited.entry).await;
    let reply = answer(edge, call, &asked, &current, found, lead).await?;
    // RFC 10008. For `POST` the condition means something else (RFC 9110, section 13.1.2), and is passed over.
    let is_query = call.head.method == Method::QUERY;
    Ok(marked(if is_query { reply.unless_known(call.headers()) } else { reply }))
}

/// What there is for a brief: what was given a moment ago, if it still serves; else what is stored.
async fn find<W: World>(
    edge: &Edge<W>,
    call: &Call,
    asked: &Asked,
    current: &Current,
    hot: Option<Rc<Entry>>,
    stored: Option<Vec<u8>>,
) -> Found {
    let (key, question) = (current.key(), current.question(asked.directives, call.now_s()));
    let stored = match hot.map(|entry| question.judge_entry(entry)) {
        Some(found @ Found::Hit(_)) => return found,
        Some(_) => {
            edge.hot.forget(key.as_bytes());
            stored_entry(edge, call, key).await
        }
        None => stored,
    };
    let found = question.judge(stored.as_deref());
    if let Found::Hit(held) = &found {
        edge.hot.remember(&held.entry, call.now_ms);
    }
    found
}

/// What is stored under a key; where the store fails, nothing.
async fn stored_entry<W: World>(edge: &Edge<W>, call: &Call, key: CacheKey) -> Option<Vec<u8>> {
    edge.store.entry(key.as_bytes()).await.unwrap_or_else(|error| {
        log::warn(&call.id, error);
        None
    })
}

/// Answers with what was found, or from the origin: as the leader of those who ask for the same, if it is that already.
async fn answer<W: World>(
    edge: &Rc<Edge<W>>,
    call: &mut Call,
    asked: &Asked,
    current: &Current,
    found: Found,
    lead: Option<Lead>,
) -> Result<Reply, Failure> {
    let (reason, fallback, is_useless) = match found {
        Found::Hit(held) => match serve(call, asked, &held, None) {
            Some(answer) => return answer,
            // Its digest holds, so an older edge has written it, whose copies had another form.
            None => (Forward::UriMiss, None, true),
        },
        Found::Stale(held) => match serve(call, asked, &held, Some(Detail::StaleWhileRevalidate)) {
            Some(answer) => {
                if !asked.directives.only_if_cached {
                    drop(lead);
                    fetch::refresh(edge, call, asked, current);
                }
                return answer;
            }
            None => (Forward::UriMiss, None, true),
        },
        Found::Miss { reason, fallback } => (reason, fallback, false),
        Found::Useless(reason) => (reason, None, true),
    };
    if is_useless && let Err(error) = edge.store.drop_entry(current.key().as_bytes()).await {
        log::warn(&call.id, error);
    }
    refuse_if_only_cached(call, asked, reason)?;
    match fetch::fetch(edge, call, asked, current, reason, fallback.is_some(), lead).await {
        Err(failure) if failure.is_error() => serve_instead(call, asked, fallback, reason, failure),
        outcome => outcome,
    }
}

/// The reply from a stored answer; `None` where it cannot be read.
fn serve(call: &Call, asked: &Asked, held: &Held, detail: Option<Detail>) -> Option<Result<Reply, Failure>> {
    let answer = replay::replay(&held.entry, held.standing.age_s, asked.as_events)?;
    call.record.cache(CacheStatus::Hit { ttl_s: held.standing.left_s(), detail });
    Some(answer)
}

/// A stale answer in place of the origin's failure, where there is one.
fn serve_instead(
    call: &Call,
    asked: &Asked,
    fallback: Option<Held>,
    reason: Forward,
    failure: Failure,
) -> Result<Reply, Failure> {
    let Some(held) = fallback else { return Err(failure) };
    let Some(Ok(reply)) = replay::replay(&held.entry, held.standing.age_s, asked.as_events) else {
        return Err(failure);
    };
    log::failure(&call.id, &failure);
    let status = Forwarded {
        // Where the edge itself says what went wrong, the origin gave no answer that has a status.
        status: failure.cause.is_none().then_some(failure.problem.status()),
        ttl_s: Some(held.standing.left_s()),
        detail: Some(Detail::StaleIfError),
        ..reason.into()
    };
    call.record.cache(CacheStatus::Forward(status));
    Ok(reply)
}

/// Asks the origin for this request alone, and keeps nothing.
async fn forward_alone<W: World>(
    edge: &Rc<Edge<W>>,
    call: &mut Call,
    asked: &Asked,
    reason: Forward,
) -> Result<Reply, Failure> {
    refuse_if_only_cached(call, asked, reason)?;
    forward::forward(edge, call, asked, None, reason).await
}

fn refuse_if_only_cached(call: &Call, asked: &Asked, reason: Forward) -> Result<(), Failure> {
    if !asked.directives.only_if_cached {
        return Ok(());
    }
    call.record.cache(CacheStatus::Forward(reason.into()));
    Err(only_if_cached().into())
}

fn only_if_cached() -> Problem {
    Problem::new(Code::OnlyIfCached, "nothing is stored for this brief that the request accepts")
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
pub(crate) fn marked(mut reply: Reply) -> Reply {
    reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    reply.headers.append(VARY, HeaderValue::from_static("Authorization, Accept"));
    reply
}

#[cfg(test)]
mod tests;

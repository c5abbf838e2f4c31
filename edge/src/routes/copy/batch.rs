//! `POST /v1/copy/batch`: several briefs at once. What the cache holds is answered at once, the rest is asked of the origin
//! in one request, and each line goes out as it comes.

mod rest;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use adlib_shared::batch::{Batch, Line, Outcome};
use adlib_shared::brief::Brief;
use adlib_shared::cache_key::CacheKey;
use adlib_shared::limits::BATCH_BODY_BYTES_MAX;
use adlib_shared::problem::Problem;
use bytes::Bytes;
use futures::future::join_all;

use self::rest::{Pending, rest};
use super::place::{Current, Place};
use super::{marked, only_if_cached, stored_entry};
use crate::admit::{Look, admit};
use crate::authenticate::{Caller, Scope};
use crate::body;
use crate::cache::{Directives, Epochs, Found, Held, Kind};
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::reply::Reply;
use crate::world::World;

/// Answers each brief of a batch with a line.
///
/// # Errors
/// What is wrong with the request as a whole. What is wrong with one of its briefs stands in its line.
pub(crate) async fn batch<W, B>(
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
    let bytes = body::json(call.headers(), body, BATCH_BODY_BYTES_MAX).await?;
    let Batch { briefs, .. } = Batch::parse(&bytes, &edge.settings()?.languages)?;
    let directives = Directives::of(call.headers());

    let count = briefs.len() as u32;
    let mut sorted = Sorted::default();
    let mut places = Vec::new();
    for (index, brief) in briefs.into_iter().enumerate() {
        match brief {
            Ok(brief) => {
                let place = Place::of(edge, call, caller, &brief, &directives).await?;
                places.push((index, brief, place));
            }
            Err(problem) => sorted.refuse(index, problem, call),
        }
    }
    let currents = look_up(edge, call, caller, places, count).await?;
    let began = Instant::now();
    let stored = join_all(currents.iter().map(async |(_, _, current)| {
        let current = current.as_ref().filter(|_| !directives.no_cache)?;
        stored_entry(edge, call, current.key()).await
    }));
    let stored = stored.await;
    call.time("store", began);
    for ((index, brief, current), stored) in currents.into_iter().zip(stored) {
        sorted.add(index, brief, current, stored.as_deref(), &directives, call);
    }
    Ok(marked(Reply::lines(rest(edge, call, caller, sorted.ready, sorted.pending))))
}

/// A brief with its place in the batch and in the cache.
type Placed<P> = (usize, Brief, Option<P>);

/// Counts each brief as a request, and finds out under which epochs each brief's place stands.
async fn look_up<W: World>(
    edge: &Rc<Edge<W>>,
    call: &mut Call,
    caller: &Caller,
    places: Vec<Placed<Place>>,
    count: u32,
) -> Result<Vec<Placed<Current>>, Failure> {
    let of_place = |(_, _, place): &Placed<Place>| place.as_ref().map(|place| place.epochs.clone());
    let mut names: Vec<String> = places.iter().filter_map(of_place).flatten().collect();
    names.sort_unstable();
    names.dedup();
    let look = Look { tags: &names, further: count.saturating_sub(1), ..Look::default() };
    let visited = admit(edge, call, caller, look).await?;
    let value = |name: &String| visited.epochs.get(names.binary_search(name).ok()?).copied();
    let current = |place: Place| {
        let values: Vec<u128> = place.epochs.iter().filter_map(value).collect();
        let epochs = Epochs::fold(&place.epochs, &values)?;
        Some(Current { place: Rc::new(place), epochs })
    };
    Ok(places.into_iter().map(|(index, brief, place)| (index, brief, place.and_then(current))).collect())
}

/// The briefs of a batch, sorted into what can be answered at once and what cannot.
#[derive(Default)]
struct Sorted {
    ready: Vec<u8>,
    pending: Vec<Pending>,
    /// Which of the pending ones has a key: equal briefs are asked for once.
    by_key: BTreeMap<CacheKey, usize>,
}

impl Sorted {
    fn add(
        &mut self,
        index: usize,
        brief: Brief,
        current: Option<Current>,
        stored: Option<&[u8]>,
        directives: &Directives,
        call: &Call,
    ) {
        let found = current.as_ref().map(|current| current.question(*directives, call.now_s()).judge(stored));
        let fallback = match found {
            Some(Found::Hit(held)) => return self.ready.extend(line(index, &held)),
            Some(Found::Stale(held)) => Some(held),
            Some(Found::Miss { fallback, .. }) => fallback,
            Some(Found::Useless(_)) | None => None,
        };
        if directives.only_if_cached {
            return self.refuse(index, only_if_cached(), call);
        }
        let key = current.as_ref().map(Current::key);
        if let Some(pending) = key.and_then(|key| self.pending.get_mut(*self.by_key.get(&key)?)) {
            return pending.indices.push(index);
        }
        if let Some(key) = key {
            self.by_key.insert(key, self.pending.len());
        }
        let keep = current.map(|current| current.keep(call.now_s()));
        self.pending.push(Pending { indices: vec![index], brief, keep, fallback });
    }

    fn refuse(&mut self, index: usize, problem: Problem, call: &Call) {
        let problem = problem.with_instance(call.id.as_str());
        self.ready.extend(Line { index, outcome: Outcome::Problem(problem) }.encode());
    }
}

/// The line of a stored answer, around its own bytes.
fn line(index: usize, held: &Held) -> Vec<u8> {
    let what = match held.entry.kind {
        Kind::Copy => "copy",
        Kind::Refusal => "problem",
    };
    [format!("{{\"index\":{index},\"{what}\":").as_bytes(), &held.entry.body, b"}\n"].concat()
}

#[cfg(test)]
mod tests;

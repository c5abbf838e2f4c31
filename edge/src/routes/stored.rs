//! `GET /v1/copies/{id}`: a copy that was written before, for the tenant whose it is, as long as the cache holds it.

use std::rc::Rc;

use adlib_shared::channel::Channel;
use adlib_shared::copy::Copy;
use adlib_shared::problem::Code;

use super::copy::place::tags;
use super::copy::{marked, replay};
use crate::admit::{Look, admit};
use crate::authenticate::{Caller, Scope};
use crate::cache::{CacheStatus, Directives, Entry, Epochs, Found, Held, Kind, Question};
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::index;
use crate::reply::Reply;
use crate::route::COPIES;
use crate::store::Visit;
use crate::world::World;

/// Answers with the copy, fresh or stale, but not after a purge.
///
/// # Errors
/// `not_found` where it is not held, and the store's failure.
pub async fn stored<W: World>(
    edge: &Rc<Edge<W>>,
    call: &mut Call,
    caller: &Caller,
) -> Result<Reply, Failure> {
    caller.require(Scope::Copy)?;
    admit(edge, call, caller, Look::default()).await?;
    let id = call.head.uri.path().strip_prefix(COPIES).unwrap_or_default().to_owned();
    let held = find(edge, call, caller, &id).await?;
    let held = held.ok_or_else(|| Failure::new(Code::NotFound, "no copy of this id is held for you"))?;
    let reply = replay::replay(&held.entry, held.standing.age_s, false);
    let reply = reply.unwrap_or_else(|| Err(Failure::new(Code::Internal, "the copy cannot be read")))?;
    call.record.cache(CacheStatus::Hit { ttl_s: held.standing.left_s(), detail: None });
    Ok(marked(reply.unless_known(call.headers())))
}

async fn find<W: World>(
    edge: &Rc<Edge<W>>,
    call: &mut Call,
    caller: &Caller,
    id: &str,
) -> Result<Option<Held>, Failure> {
    let Some(lifetime) = edge.settings()?.cache else { return Ok(None) };
    let Some(key) = index::find(edge, &caller.tenant, id).await? else { return Ok(None) };
    let Some(bytes) = edge.store.entry(&key).await? else { return Ok(None) };
    // The tags stand in the copy itself; which epochs they have now decides whether it counts.
    let Ok(entry) = Entry::open(&bytes) else { return Ok(None) };
    let Ok(copy) = serde_json::from_slice::<Copy>(&entry.body) else { return Ok(None) };
    let Some(channel) = Channel::find(&copy.channel) else { return Ok(None) };
    if entry.kind != Kind::Copy || copy.id != id {
        return Ok(None);
    }
    let tags = tags(&caller.tenant, &copy.model.fingerprint, channel.id);
    let names = Epochs::names(&tags);
    let fresh_epoch = edge.world.entropy();
    let visit = Visit { tags: &names, fresh_epoch, ..Visit::new(&call.id, call.now_ms) };
    let visited = edge.store.visit(visit).await?;
    let Some(epochs) = Epochs::fold(&names, &visited.epochs) else { return Ok(None) };
    let question = Question {
        key: &key,
        scope: &caller.tenant,
        epochs,
        lifetime: lifetime.of_key(&key),
        directives: Directives { max_stale_s: Some(u64::MAX), ..Directives::default() },
        now_s: call.now_s(),
    };
    match question.judge(Some(&bytes)) {
        Found::Hit(held) => Ok(Some(held)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests;

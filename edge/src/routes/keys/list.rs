//! `GET /admin/keys`: the keys that there are, page by page in the order of their ids.

use std::rc::Rc;

use adlib_shared::key::{KeyId, is_name};
use adlib_shared::problem::Code;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::shown::Shown;
use crate::authenticate::{Caller, Key, Scope};
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::log;
use crate::reply::Reply;
use crate::routes::catalog::json;
use crate::store::StoredKey;
use crate::world::World;

/// Most keys in one reply.
pub const PAGE_KEYS_MAX: usize = 100;
/// How many keys are asked of the store at once.
const READS_AT_ONCE: usize = 8;

/// One page.
#[derive(Debug, Serialize)]
struct Page<'a> {
    keys: Vec<Shown<'a>>,
    /// What to send as `after` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What a request asks for.
#[derive(Debug, Default)]
struct Query<'a> {
    tenant: Option<&'a str>,
    after: Option<KeyId>,
}

/// `GET`: the keys of all tenants, or those of `?tenant=…`; those behind `?after=…`.
///
/// # Errors
/// `forbidden`, `invalid_field`, or the store's failure.
pub async fn list<W: World>(edge: &Rc<Edge<W>>, call: &Call, caller: &Caller) -> Result<Reply, Failure> {
    caller.require(Scope::Admin)?;
    let query = Query::parse(call.head.uri.query().unwrap_or_default())?;
    let mut ids = edge.store.key_ids().await?;
    ids.retain(|(id, tenant)| {
        query.tenant.is_none_or(|wanted| wanted == tenant) && query.after.is_none_or(|after| *id > after)
    });
    ids.sort_unstable_by_key(|(id, _)| *id);
    let next = ids.get(PAGE_KEYS_MAX).and(ids.get(PAGE_KEYS_MAX - 1)).map(|(id, _)| id.to_string());
    let read = |(id, _)| async move { edge.store.key(id).await.map(|stored| (id, stored)) };
    let stored: Vec<_> = stream::iter(ids.into_iter().take(PAGE_KEYS_MAX))
        .map(read)
        .buffered(READS_AT_ONCE)
        .try_collect()
        .await?;
    let parse = |(id, stored): (KeyId, Option<StoredKey>)| {
        // What is listed without being there is being made or removed, or was left by a failure, and cannot be used.
        let key = Key::parse(&stored?).inspect_err(|error| log::warn(&call.id, format!("{id}: {error}")));
        Some((id, key.ok()?))
    };
    let keys: Vec<(KeyId, Key)> = stored.into_iter().filter_map(parse).collect();
    let keys = keys.iter().map(|(id, key)| Shown::of(*id, key, call.now_s())).collect();
    json(&Page { keys, next })
}

impl<'a> Query<'a> {
    fn parse(text: &'a str) -> Result<Self, Failure> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("tenant", tenant)) if query.tenant.is_none() && is_name(tenant) => {
                    query.tenant = Some(tenant);
                }
                Some(("after", id)) if query.after.is_none() && KeyId::parse(id).is_some() => {
                    query.after = KeyId::parse(id);
                }
                _ => {
                    let detail = "the query takes tenant, a tenant's name, and after, a key's id, each once";
                    return Err(Failure::new(Code::InvalidField, detail));
                }
            }
        }
        Ok(query)
    }
}

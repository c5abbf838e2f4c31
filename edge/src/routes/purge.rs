//! `POST /admin/cache/purge`: everything in the cache that bears one tag is void, or stale.

use std::rc::Rc;

use adlib_shared::limits::PURGE_BODY_BYTES_MAX;
use adlib_shared::purge::{Mode, Purge};
use bytes::Bytes;
use serde::Serialize;

use super::catalog::json;
use crate::authenticate::{Caller, Scope};
use crate::body;
use crate::cache::Epochs;
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::reply::Reply;
use crate::world::World;

/// What was purged.
#[derive(Debug, Serialize)]
struct Purged {
    tag: String,
    mode: Mode,
}

/// Gives the tag another epoch.
///
/// # Errors
/// What is wrong with the request, or the store's failure: then nothing is purged.
pub async fn purge<W, B>(edge: &Rc<Edge<W>>, call: &Call, caller: &Caller, body: B) -> Result<Reply, Failure>
where
    W: World,
    B: http_body::Body<Data = Bytes>,
{
    caller.require(Scope::Admin)?;
    let bytes = body::json(call.headers(), body, PURGE_BODY_BYTES_MAX).await?;
    let Purge { tag, mode, .. } = Purge::parse(&bytes)?;
    edge.store.renew(&Epochs::name(&tag, mode), edge.world.entropy()).await?;
    json(&Purged { tag: tag.name(), mode })
}

//! Where a new copy is to be kept, decided before it is written.

use adlib_shared::cache_key::CacheKey;
use adlib_shared::copy::Copy;
use bytes::Bytes;

use crate::cache::Entry;
use crate::edge::Edge;
use crate::log;
use crate::request_id::RequestId;
use crate::store::NewEntry;
use crate::world::World;

/// A place in the cache.
#[derive(Debug, Clone)]
pub struct Keep {
    /// The key of the brief.
    pub key: CacheKey,
    /// The model for which the key was made.
    pub fingerprint: String,
    /// How long the copy is fresh, in seconds.
    pub ttl_s: u32,
    /// When the request came, in seconds since 1970.
    pub now_s: u64,
}

impl Keep {
    /// Stores a copy that came as events; a failure is logged, it changes nothing for the client.
    pub async fn copy<W: World>(self, edge: &Edge<W>, id: &RequestId, copy: &Copy) {
        match serde_json::to_vec(copy) {
            Ok(body) => drop(self.body(edge, id, copy, body.into()).await),
            Err(error) => log::warn(id, error),
        }
    }

    /// Stores a copy as the origin sent it, and returns the entry if it was stored.
    ///
    /// A copy of another model than the key's is not stored: the origin has changed since the edge last asked.
    pub async fn body<W: World>(
        self,
        edge: &Edge<W>,
        id: &RequestId,
        copy: &Copy,
        body: Bytes,
    ) -> Option<Entry> {
        let Self { key, fingerprint, ttl_s, now_s } = self;
        if copy.model.fingerprint != fingerprint {
            edge.models.forget(&*edge.store, edge.settings().ok()?, id).await;
            return None;
        }
        let (entry, sealed) = Entry::seal(*key.as_bytes(), now_s, ttl_s, body.into())?;
        let new = NewEntry { key: key.as_bytes(), sealed: &sealed, keep_s: ttl_s.into(), lease: None };
        match edge.store.keep(new).await {
            Ok(kept) => kept.then_some(entry),
            Err(error) => {
                log::warn(id, error);
                None
            }
        }
    }
}

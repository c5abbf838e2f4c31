//! Where a new answer is to be kept, decided before it is written, and who waits for it.

use std::rc::Rc;

use adlib_shared::copy::Copy;
use bytes::Bytes;

use crate::cache::{Entry, Kind, Lifetime, Stamp};
use crate::edge::Edge;
use crate::failure::Failure;
use crate::flight::{Lead, Outcome};
use crate::index;
use crate::log;
use crate::request_id::RequestId;
use crate::store::{Lease, NewEntry};
use crate::world::World;

/// A place in the cache.
#[derive(Debug)]
pub struct Keep {
    /// What the answer is kept under.
    pub stamp: Stamp,
    /// The model for which the key was made.
    pub fingerprint: String,
    /// How long answers under the key serve.
    pub lifetime: Lifetime,
    /// The flight that waits for it.
    pub lead: Option<Lead>,
}

impl Keep {
    /// The lease under which the answer is written, if there is one.
    pub fn lease(&self) -> Option<&Lease> {
        self.lead.as_ref().and_then(Lead::lease)
    }

    /// Keeps a copy that came as events; a failure is logged, it changes nothing for the client.
    pub async fn copy<W: World>(self, edge: &Rc<Edge<W>>, id: &RequestId, copy: &Copy) {
        match serde_json::to_vec(copy) {
            Ok(body) => drop(self.body(edge, id, copy, body.into()).await),
            Err(error) => log::warn(id, error),
        }
    }

    /// Keeps a copy as the origin sent it, and returns the entry if it was stored.
    ///
    /// A copy of another model than the key's is not stored, since the origin has changed since the edge last asked; but
    /// those who wait for it get it.
    pub async fn body<W: World>(
        self,
        edge: &Rc<Edge<W>>,
        id: &RequestId,
        copy: &Copy,
        body: Bytes,
    ) -> Option<Rc<Entry>> {
        let Self { stamp, fingerprint, lifetime, mut lead } = self;
        let (entry, sealed) = Entry::seal(stamp, Kind::Copy, body)?;
        let entry = Rc::new(entry);
        let keep_s = lifetime.keep_s();
        let is_stored = if copy.model.fingerprint == fingerprint {
            store(edge, id, &entry, &sealed, keep_s, lead.as_mut()).await
        } else {
            edge.models.forget(&*edge.store, edge.settings().ok()?, id).await;
            false
        };
        if is_stored {
            index::note(edge, id, &entry.stamp, &copy.id, keep_s);
        }
        if let Some(lead) = lead {
            lead.land(edge, id, Outcome::Answer(Rc::clone(&entry))).await;
        }
        Some(entry).filter(|_| is_stored)
    }

    /// Keeps a refusal for a little while, so that a brief which cannot be met does not reach the origin again and
    /// again. Whatever else failed is told to those who wait, and forgotten; unless it was this request's alone.
    pub async fn failure<W: World>(self, edge: &Rc<Edge<W>>, id: &RequestId, failure: &Failure) {
        let Self { stamp, fingerprint: _, lifetime, mut lead } = self;
        if failure.is_refusal() {
            let ttl_s = lifetime.of_refusal(&stamp.key);
            let stamp = Stamp { ttl_s: ttl_s as u32, ..stamp };
            if let Some((entry, sealed)) = Entry::seal(stamp, Kind::Refusal, failure.problem.to_json().into())
            {
                store(edge, id, &entry, &sealed, ttl_s, lead.as_mut()).await;
            }
        }
        if let Some(lead) = lead.filter(|_| failure.is_shared()) {
            lead.land(edge, id, Outcome::Failure(failure.clone())).await;
        }
    }
}

/// Stores a sealed entry, unless its lease was lost, and says whether it is stored.
async fn store<W: World>(
    edge: &Edge<W>,
    id: &RequestId,
    entry: &Entry,
    sealed: &[u8],
    keep_s: u64,
    lead: Option<&mut Lead>,
) -> bool {
    let lease = lead.as_deref().and_then(Lead::lease);
    let new = NewEntry { key: &entry.stamp.key, sealed, keep_s, lease };
    let is_kept = edge.store.keep(new).await.unwrap_or_else(|error| {
        log::warn(id, error);
        false
    });
    edge.hot.forget(&entry.stamp.key);
    if is_kept && let Some(lead) = lead {
        lead.forget_lease();
    }
    is_kept
}

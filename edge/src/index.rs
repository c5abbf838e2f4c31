//! Which entry holds the copy of an id.
//!
//! Like the entries, the index lies in a fixed number of slots, so that it cannot grow without end. What stands in one is
//! found only by the tenant whose copy it is.

use std::rc::Rc;

use crate::cache::Stamp;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::log;
use crate::request_id::RequestId;
use crate::world::World;

/// How many ids are remembered at most: as many as the key-value store holds entries.
pub const SLOTS: u32 = 1 << 20;

/// Notes, after the reply, where the copy of an id is kept.
pub fn note<W: World>(edge: &Rc<Edge<W>>, id: &RequestId, stamp: &Stamp, copy: &str, keep_s: u64) {
    let Ok(place) = place(edge, &stamp.scope, copy) else { return };
    let record = [place, stamp.key].concat();
    let (noter, id) = (Rc::clone(edge), id.clone());
    edge.world.later(async move {
        if let Err(error) = noter.store.set(&slot(&place), &record, Some(keep_s)).await {
            log::warn(&id, error);
        }
    });
}

/// The key of the entry that holds a tenant's copy of this id.
///
/// # Errors
/// The store's.
pub async fn find<W: World>(edge: &Edge<W>, scope: &str, copy: &str) -> Result<Option<[u8; 32]>, Failure> {
    let place = place(edge, scope, copy)?;
    let record = edge.store.get(&slot(&place)).await?;
    let key = record.as_deref().and_then(|record| record.strip_prefix(&place[..]));
    Ok(key.and_then(|key| key.try_into().ok()))
}

/// What a tenant's id is looked for by: a keyed hash of both. A tenant is a name, which holds no line feed.
fn place<W: World>(edge: &Edge<W>, scope: &str, copy: &str) -> Result<[u8; 32], Failure> {
    Ok(edge.cache_secret()?.of(format!("copy id\n{scope}\n{copy}").as_bytes()))
}

fn slot(place: &[u8; 32]) -> String {
    let [first, second, third, ..] = *place;
    format!("made/{:05x}", u32::from_be_bytes([0, first, second, third]) % SLOTS)
}

//! Keys in a store without compare-and-swap.
//!
//! A key is live as long as its record is there, which is written last and removed first; so whatever fails in the middle
//! leaves no key that somebody can use. What changes (its secrets) lies apart from it, so that a rotation which goes on
//! while the key is revoked does not bring it back. What cannot be done at one stroke: of two rotations of a key in the
//! same moment one secret can be lost, and of two keys that instances make in the same moment one can be missing from the
//! list; it works, and is revoked by its id.

use std::collections::BTreeMap;

use adlib_shared::key::KeyId;
use futures::future::try_join;

use super::documents::write;
use crate::store::{KEYS_MAX, NewKey, StoredKey};
use crate::world::{StoreError, World};

/// The record of all keys' ids.
const LIST: &str = "keys";
/// How often a key is added to the list, where others that are being made overwrite it.
const ENLISTINGS_MAX: usize = 16;

type List = BTreeMap<String, String>;

pub(super) async fn find<W: World>(world: &W, id: KeyId) -> Result<Option<StoredKey>, StoreError> {
    let (record, secrets) = (record_name(id), secrets_name(id));
    let (record, secrets) = try_join(world.get(&record), world.get(&secrets)).await?;
    Ok(record.zip(secrets).map(|(record, secrets)| StoredKey { record, secrets }))
}

pub(super) async fn add<W: World>(world: &W, new: NewKey<'_>) -> Result<bool, StoreError> {
    let NewKey { id, tenant, key } = new;
    world.set(&secrets_name(id), &key.secrets).await?;
    if !enlist(world, id, tenant).await? {
        world.delete(&secrets_name(id)).await?;
        return Ok(false);
    }
    world.set(&record_name(id), &key.record).await.map(|()| true)
}

pub(super) async fn change_secrets<W: World>(
    world: &W,
    id: KeyId,
    from: &[u8],
    to: &[u8],
) -> Result<bool, StoreError> {
    if find(world, id).await?.is_none_or(|key| key.secrets != from) {
        return Ok(false);
    }
    world.set(&secrets_name(id), to).await.map(|()| true)
}

pub(super) async fn remove<W: World>(world: &W, id: KeyId) -> Result<bool, StoreError> {
    let was_there = world.get(&record_name(id)).await?.is_some();
    world.delete(&record_name(id)).await?;
    world.delete(&secrets_name(id)).await?;
    let mut list = list(world).await?;
    let was_listed = list.remove(&id.to_string()).is_some();
    if was_listed {
        write(world, LIST, &list).await?;
    }
    Ok(was_there || was_listed)
}

pub(super) async fn ids<W: World>(world: &W) -> Result<Vec<(KeyId, String)>, StoreError> {
    let list = list(world).await?;
    Ok(list.into_iter().filter_map(|(id, tenant)| Some((KeyId::parse(&id)?, tenant))).collect())
}

/// Adds a key to the list; false where the list is full. It is looked for afterwards, since somebody else may have written
/// a list that was read before.
async fn enlist<W: World>(world: &W, id: KeyId, tenant: &str) -> Result<bool, StoreError> {
    for _ in 0..ENLISTINGS_MAX {
        let mut list = list(world).await?;
        if list.contains_key(&id.to_string()) {
            return Ok(true);
        }
        if list.len() >= KEYS_MAX {
            return Ok(false);
        }
        list.insert(id.to_string(), tenant.to_owned());
        write(world, LIST, &list).await?;
    }
    Err(StoreError::Failed("too many keys are being made at once".to_owned()))
}

/// What cannot be read is not overwritten: keys would vanish from the list that can be used all the same.
async fn list<W: World>(world: &W) -> Result<List, StoreError> {
    let Some(stored) = world.get(LIST).await? else { return Ok(List::new()) };
    serde_json::from_slice(&stored)
        .map_err(|error| StoreError::Failed(format!("the list of keys cannot be read: {error}")))
}

fn record_name(id: KeyId) -> String {
    format!("key/{id}")
}

fn secrets_name(id: KeyId) -> String {
    format!("key/{id}/secrets")
}

//! Records that are JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::world::{StoreError, World};

/// A record; one that cannot be read was written by another version, and is begun anew.
pub(super) async fn read<W: World, T: DeserializeOwned + Default>(
    world: &W,
    name: &str,
) -> Result<T, StoreError> {
    let stored = world.get(name).await?;
    Ok(stored.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

/// Sets a record.
pub(super) async fn write<W: World>(world: &W, name: &str, value: &impl Serialize) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(value).map_err(|error| StoreError::Failed(error.to_string()))?;
    world.set(name, &bytes).await
}

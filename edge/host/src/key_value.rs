//! `spin:key-value`: the component's stores, in memory or in SQLite.

mod memory;
mod sqlite;

use std::sync::Arc;

use thiserror::Error;
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use crate::bindings::spin::key_value::key_value::{Error as WitError, Host, HostStore, HostStoreWithStore};
use crate::config::Stores;
use crate::guest::{Guest, Shared, Spin};
use crate::limits::Limits;

use memory::Memory;
use sqlite::Sqlite;

/// A store the guest holds open.
#[expect(unreachable_pub, reason = "the generated bindings re-export it under their own name")]
pub struct OpenStore {
    label: Arc<str>,
}

/// Where all stores live.
pub(crate) enum Storage {
    Memory(Memory),
    Sqlite(Arc<Sqlite>),
}

/// Why the stores cannot be used.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum KeyValueError {
    #[error("the key has {bytes} bytes, at most {bytes_max} are kept")]
    KeyTooLong { bytes: usize, bytes_max: usize },
    #[error("the value has {bytes} bytes, at most {bytes_max} are kept")]
    ValueTooLong { bytes: usize, bytes_max: usize },
    #[error("the stores are full: {bytes_max} bytes in all")]
    Full { bytes_max: u64 },
    #[error("cannot make the folder of the key-value database: {0}")]
    Folder(#[source] std::io::Error),
    #[error("the key-value database failed: {0}")]
    Database(#[from] rusqlite::Error),
    #[error("the key-value database has the layout {found}, this host knows layout {known}")]
    Layout { found: i64, known: i64 },
    #[error("writing to the key-value database was interrupted")]
    Interrupted,
}

impl Storage {
    pub(crate) fn open(stores: &Stores, limits: &Limits) -> Result<Self, KeyValueError> {
        Ok(match stores {
            Stores::Memory => Self::Memory(Memory::new(limits.store_bytes_max)),
            Stores::Folder(folder) => Self::Sqlite(Arc::new(Sqlite::open(folder, limits.store_bytes_max)?)),
        })
    }

    /// Reads run where they are called: a row in the page cache is microseconds away.
    fn get(&self, store: &str, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        match self {
            Self::Memory(memory) => Ok(memory.get(store, key)),
            Self::Sqlite(sqlite) => sqlite.get(store, key),
        }
    }

    fn exists(&self, store: &str, key: &str) -> Result<bool, KeyValueError> {
        match self {
            Self::Memory(memory) => Ok(memory.exists(store, key)),
            Self::Sqlite(sqlite) => sqlite.exists(store, key),
        }
    }

    fn keys(&self, store: &str) -> Result<Vec<String>, KeyValueError> {
        match self {
            Self::Memory(memory) => Ok(memory.keys(store)),
            Self::Sqlite(sqlite) => sqlite.keys(store),
        }
    }

    /// Gives the key a value, or takes it away. Writes to a file run apart, since they may wait for the disk.
    async fn put(&self, store: Arc<str>, key: String, value: Option<Vec<u8>>) -> Result<(), KeyValueError> {
        match self {
            Self::Memory(memory) => memory.put(&store, key, value),
            Self::Sqlite(sqlite) => {
                let sqlite = Arc::clone(sqlite);
                let write = move || sqlite.put(&store, &key, value.as_deref());
                tokio::task::spawn_blocking(write).await.map_err(|_| KeyValueError::Interrupted)?
            }
        }
    }
}

/// What the guest reads of a failure; its details are the log's.
fn told(error: &KeyValueError) -> WitError {
    match error {
        KeyValueError::Database(_) | KeyValueError::Interrupted => {
            tracing::error!(%error, "a key-value operation failed");
            WitError::Other("the key-value store failed".into())
        }
        _ => WitError::Other(error.to_string()),
    }
}

fn check_key(key: &str, limits: &Limits) -> Result<(), KeyValueError> {
    let (bytes, bytes_max) = (key.len(), limits.key_bytes_max);
    if bytes > bytes_max { Err(KeyValueError::KeyTooLong { bytes, bytes_max }) } else { Ok(()) }
}

fn check_value(value: &[u8], limits: &Limits) -> Result<(), KeyValueError> {
    let (bytes, bytes_max) = (value.len(), limits.value_bytes_max);
    if bytes > bytes_max { Err(KeyValueError::ValueTooLong { bytes, bytes_max }) } else { Ok(()) }
}

impl Host for Guest {}

impl HostStore for Guest {
    async fn drop(&mut self, store: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        self.open_stores -= 1;
        Ok(())
    }
}

type Answer<T> = wasmtime::Result<Result<T, WitError>>;

/// The shared part of the host and the label behind a handle. A handle that is not one is the guest's fault: a trap.
fn opened<T: Send>(
    accessor: &Accessor<T, Spin>,
    store: &Resource<OpenStore>,
) -> wasmtime::Result<(Arc<Shared>, Arc<str>)> {
    accessor.with(|mut access| {
        let guest = access.get();
        let label = Arc::clone(&guest.table.get(store)?.label);
        Ok((Arc::clone(&guest.shared), label))
    })
}

impl<T: Send> HostStoreWithStore<T> for Spin {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Answer<Resource<OpenStore>> {
        accessor.with(|mut access| {
            let guest = access.get();
            if !guest.shared.stores.contains(&label) {
                return Ok(Err(WitError::AccessDenied));
            }
            if guest.open_stores >= guest.shared.limits.open_stores_max {
                return Ok(Err(WitError::StoreTableFull));
            }
            let store = guest.table.push(OpenStore { label: label.into() })?;
            guest.open_stores += 1;
            Ok(Ok(store))
        })
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        store: Resource<OpenStore>,
        key: String,
    ) -> Answer<Option<Vec<u8>>> {
        let (shared, label) = opened(accessor, &store)?;
        let value = check_key(&key, &shared.limits).and_then(|()| shared.storage.get(&label, &key));
        Ok(value.map_err(|error| told(&error)))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> Answer<()> {
        let (shared, label) = opened(accessor, &store)?;
        let checked = check_key(&key, &shared.limits).and_then(|()| check_value(&value, &shared.limits));
        if let Err(error) = checked {
            return Ok(Err(told(&error)));
        }
        Ok(shared.storage.put(label, key, Some(value)).await.map_err(|error| told(&error)))
    }

    async fn delete(accessor: &Accessor<T, Self>, store: Resource<OpenStore>, key: String) -> Answer<()> {
        let (shared, label) = opened(accessor, &store)?;
        if let Err(error) = check_key(&key, &shared.limits) {
            return Ok(Err(told(&error)));
        }
        Ok(shared.storage.put(label, key, None).await.map_err(|error| told(&error)))
    }

    async fn exists(accessor: &Accessor<T, Self>, store: Resource<OpenStore>, key: String) -> Answer<bool> {
        let (shared, label) = opened(accessor, &store)?;
        let exists = check_key(&key, &shared.limits).and_then(|()| shared.storage.exists(&label, &key));
        Ok(exists.map_err(|error| told(&error)))
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        store: Resource<OpenStore>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), WitError>>)> {
        let (shared, label) = opened(accessor, &store)?;
        let (keys, outcome) = match shared.storage.keys(&label) {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(told(&error))),
        };
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, keys)?;
            let outcome = FutureReader::new(&mut access, async { wasmtime::error::Ok(outcome) })?;
            Ok((keys, outcome))
        })
    }
}

#[cfg(test)]
mod tests;

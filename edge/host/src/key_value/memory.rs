//! Stores in memory: for tests and benches.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::KeyValueError;

/// All stores' entries, and how many bytes they are.
pub(crate) struct Memory {
    content: RwLock<Content>,
    bytes_max: u64,
}

#[derive(Default)]
struct Content {
    stores: HashMap<String, HashMap<String, Vec<u8>>>,
    bytes: u64,
}

impl Memory {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { content: RwLock::default(), bytes_max }
    }

    // Nothing panics while the lock is held, so a poisoned one still guards whole content.
    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, store: &str, key: &str) -> Option<Vec<u8>> {
        self.read().stores.get(store)?.get(key).cloned()
    }

    pub(super) fn exists(&self, store: &str, key: &str) -> bool {
        self.read().stores.get(store).is_some_and(|entries| entries.contains_key(key))
    }

    pub(super) fn keys(&self, store: &str) -> Vec<String> {
        self.read().stores.get(store).map(|entries| entries.keys().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn put(&self, store: &str, key: String, value: Option<Vec<u8>>) -> Result<(), KeyValueError> {
        let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
        let size = |key: &str, value: &Vec<u8>| (key.len() + value.len()) as u64;
        let old =
            content.stores.get(store).and_then(|entries| entries.get(&key)).map_or(0, |v| size(&key, v));
        let new = value.as_ref().map_or(0, |value| size(&key, value));
        let bytes = content.bytes - old + new;
        if bytes > self.bytes_max {
            return Err(KeyValueError::Full { bytes_max: self.bytes_max });
        }
        content.bytes = bytes;
        let entries = content.stores.entry(store.to_owned()).or_default();
        match value {
            Some(value) => drop(entries.insert(key, value)),
            None => drop(entries.remove(&key)),
        }
        Ok(())
    }
}

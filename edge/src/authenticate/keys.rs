//! The keys of the store, and which of them this instance has read a moment ago.
//!
//! What is remembered is what the store said, never what it did not: a key that is not known is asked for each time. It
//! costs a read, but a key works as soon as it is made and a secret as soon as it is rotated; who tries out keys is
//! held up by the limit of failures and blocks, and a memory of wrong keys would be theirs to fill.

use std::cell::Cell;
use std::rc::Rc;

use adlib_shared::api_key::KeyHash;
use adlib_shared::key::KeyId;

use super::{Denied, KeyRecord, RecordError, Secrets};
use crate::memo::Memo;
use crate::store::{Store, StoredKey};

/// How long an instance goes by what it has read of a key, in milliseconds. A revocation is seen everywhere in half the
/// ten seconds that are promised.
pub const KNOWN_MS_MAX: u64 = 5_000;
/// Most keys that an instance remembers.
pub const KNOWN_KEYS_MAX: usize = 1024;

/// A key of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What it is.
    pub record: KeyRecord,
    /// How it is proven.
    pub secrets: Secrets,
}

impl Key {
    /// Reads what is stored.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(stored: &StoredKey) -> Result<Self, RecordError> {
        let StoredKey { record, secrets } = stored;
        Ok(Self { record: KeyRecord::parse(record)?, secrets: Secrets::parse(secrets)? })
    }

    /// What is to be stored.
    ///
    /// # Errors
    /// That it cannot be written.
    pub fn to_stored(&self) -> Result<StoredKey, RecordError> {
        let form = |error: serde_json::Error| RecordError::Form(error.to_string());
        let record = serde_json::to_vec(&self.record).map_err(form)?;
        Ok(StoredKey { record, secrets: serde_json::to_vec(&self.secrets).map_err(form)? })
    }
}

/// The keys that this instance knows.
pub struct Keys {
    known: Memo<KeyId, Rc<Key>>,
    /// How often a key was forgotten, so that what was read before is not remembered after.
    forgotten: Cell<u64>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { known: Memo::new(KNOWN_MS_MAX, KNOWN_KEYS_MAX), forgotten: Cell::default() }
    }
}

impl Keys {
    /// The key with this id, if this is one of its secrets. Expiry and ends are judged each time, whatever is
    /// remembered.
    ///
    /// # Errors
    /// That the store does not answer, or that nobody can read what it says.
    pub async fn find(
        &self,
        store: &dyn Store,
        id: KeyId,
        secret: &KeyHash,
        now_ms: u64,
    ) -> Result<Option<Rc<Key>>, Denied> {
        let has = |key: &Rc<Key>| key.secrets.take(secret, now_ms / 1000);
        if let Some(known) = self.known.get(&id, now_ms).filter(has) {
            return Ok(Some(known));
        }
        let forgotten = self.forgotten.get();
        let Some(stored) = store.key(id).await.map_err(Denied::Store)? else { return Ok(None) };
        let key = Rc::new(Key::parse(&stored).map_err(Denied::Record)?);
        if !has(&key) {
            return Ok(None);
        }
        if self.forgotten.get() == forgotten {
            self.known.put(id, Rc::clone(&key), now_ms);
        }
        Ok(Some(key))
    }

    /// Forgets a key that was changed.
    pub fn forget(&self, id: KeyId) {
        self.forgotten.set(self.forgotten.get() + 1);
        self.known.forget(&id);
    }
}

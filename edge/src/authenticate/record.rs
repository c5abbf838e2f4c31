//! A key in the key-value store: `key/<hash>` holds JSON.
//!
//! ```json
//! {"tenant": "acme", "scopes": ["copy"], "created": 1700000000, "expires": 1800000000,
//!  "limits": {"rate_per_minute": 600}}
//! ```

use adlib_shared::api_key::KeyHash;
use adlib_shared::key::{KeyLimits, Scope};
use serde::Deserialize;

use crate::keyring::is_name;

/// What the store holds about a key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Whose key it is.
    pub tenant: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// From when on it is not taken any more, in seconds since 1970.
    #[serde(default)]
    pub expires: Option<u64>,
    /// How much it may be used.
    #[serde(default)]
    pub limits: KeyLimits,
}

/// Why a record is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It is not the JSON that is expected.
    #[error("the record of a key is not of the form: {0}")]
    Form(String),
    /// Its tenant has no name that can be signed and logged.
    #[error("the record of a key has a tenant that is not a name")]
    Tenant,
}

impl KeyRecord {
    /// The name under which the record of a key is stored.
    pub fn name(hash: &KeyHash) -> String {
        format!("key/{}", hash.to_hex())
    }

    /// Reads a record.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let record: Self =
            serde_json::from_slice(bytes).map_err(|error| RecordError::Form(error.to_string()))?;
        if is_name(&record.tenant) { Ok(record) } else { Err(RecordError::Tenant) }
    }
}

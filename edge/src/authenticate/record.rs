//! What the store holds about a key, but for its secrets. It is written once, and removed where the key is revoked.
//!
//! ```json
//! {"tenant": "acme", "name": "ci", "kind": "live", "scopes": ["copy"], "created": 1700000000, "expires": 1800000000,
//!  "limits": {"rate_per_minute": 600}}
//! ```

use adlib_shared::api_key::Kind;
use adlib_shared::key::{KeyLimits, NewKey, Scope, is_name};
use serde::{Deserialize, Serialize};

/// What the store holds about a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Whose key it is.
    pub tenant: String,
    /// What people call it.
    pub name: String,
    /// Whether it is for tests or for real traffic.
    pub kind: Kind,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// From when on it is not taken any more, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    /// The record of a key that is made now, in seconds since 1970.
    pub fn new(key: NewKey, created: u64) -> Self {
        let NewKey { tenant, name, scopes, kind, expires, limits, .. } = key;
        Self { tenant, name, kind, scopes, created, expires, limits }
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

    /// Whether the key is no longer taken at this time, in seconds since 1970.
    pub fn has_expired(&self, now_s: u64) -> bool {
        self.expires.is_some_and(|expires_s| expires_s <= now_s)
    }
}

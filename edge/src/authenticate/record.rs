//! A key in the key-value store: `key/<hash>` holds JSON.
//!
//! ```json
//! {"tenant": "acme", "scopes": ["copy"], "created": 1700000000, "expires": 1800000000, "rate_per_minute": 600}
//! ```

use adlib_shared::api_key::KeyHash;
use serde::Deserialize;

use crate::keyring::is_name;

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To have copy written and checked.
    Copy,
    /// To manage keys and cache.
    Admin,
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Copy => "copy",
            Self::Admin => "admin",
        })
    }
}

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
    /// Requests a minute, where it is not the variable's; 0 for no limit.
    #[serde(default)]
    pub rate_per_minute: Option<u32>,
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

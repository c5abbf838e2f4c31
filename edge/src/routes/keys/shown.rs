//! A key as an operator sees it.

use adlib_shared::api_key::{ApiKey, Kind};
use adlib_shared::key::{KeyId, KeyLimits, Scope};
use serde::Serialize;

use crate::authenticate::{Key, Secret};

/// A key without anything that would help to guess it. Times are in seconds since 1970.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    id: String,
    /// The secret, where it was made just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    tenant: &'a str,
    name: &'a str,
    kind: Kind,
    scopes: &'a [Scope],
    created: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    limits: KeyLimits,
    /// The secrets that are taken.
    secrets: Vec<ShownSecret>,
}

#[derive(Debug, Serialize)]
struct ShownSecret {
    created: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<u64>,
}

impl<'a> Shown<'a> {
    pub(super) fn of(id: KeyId, key: &'a Key, now_s: u64) -> Self {
        let shown = |secret: &Secret| ShownSecret { created: secret.created, ends: secret.ends };
        let record = &key.record;
        Self {
            id: id.to_string(),
            key: None,
            tenant: &record.tenant,
            name: &record.name,
            kind: record.kind,
            scopes: &record.scopes,
            created: record.created,
            expires: record.expires,
            limits: record.limits,
            secrets: key.secrets.live(now_s).map(shown).collect(),
        }
    }

    pub(super) fn with_secret(self, secret: &'a ApiKey) -> Self {
        Self { key: Some(secret.expose()), ..self }
    }
}

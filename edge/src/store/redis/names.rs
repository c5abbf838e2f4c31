//! What things are called in Redis.

use adlib_shared::key::KeyId;

use super::PREFIX;
use crate::block::Subject;
use crate::limit::Meter;
use crate::store::Lease;

pub(super) fn prefixed(name: &str) -> String {
    format!("{PREFIX}{name}")
}

pub(super) fn entry(key: &[u8; 32]) -> String {
    format!("{PREFIX}copy/{}", data_encoding::HEXLOWER.encode(key))
}

pub(super) fn epoch(tag: &str) -> String {
    format!("{PREFIX}epoch/{tag}")
}

pub(super) fn lease(lease: &Lease) -> String {
    format!("{PREFIX}lease/{}", lease.name)
}

pub(super) fn block(subject: &Subject) -> String {
    format!("{PREFIX}block/{}", subject.name())
}

pub(super) fn strikes(subject: &Subject) -> String {
    meter(&Meter::Strikes(*subject))
}

pub(super) fn blocks() -> String {
    prefixed("blocks")
}

pub(super) fn meter(meter: &Meter) -> String {
    format!("{PREFIX}{meter}")
}

pub(super) fn counts(tenant: &str) -> String {
    format!("{PREFIX}stats/{tenant}")
}

/// A key's record, and its secrets.
pub(super) fn key(id: KeyId) -> [String; 2] {
    [format!("{PREFIX}key/{id}"), format!("{PREFIX}key/{id}/secrets")]
}

pub(super) fn keys() -> String {
    prefixed("keys")
}

//! The public keys that an issuer publishes: a JSON Web Key Set (RFC 7517).

use std::collections::BTreeMap;

use adlib_shared::json::Node;

use super::public_key::{Algorithm, PublicKey};
use super::token::text_of;

/// Largest set, in bytes. One with keys of all kinds and their certificates takes a tenth.
pub const KEY_SET_BYTES_MAX: usize = 64 * 1024;
/// Most keys in a set, of any kind.
pub const KEYS_MAX: usize = 32;
/// Longest name of a key, in bytes.
pub const KEY_ID_BYTES_MAX: usize = 128;

/// Why a set is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is not JSON within the limits.
    #[error("it cannot be read: {0}")]
    Json(String),
    /// It is not an object with a list of keys.
    #[error("it is not an object with an array of keys")]
    Form,
    /// There are too many keys.
    #[error("it has {count} keys, at most {KEYS_MAX} are taken")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// Two keys that tokens could be verified with have one name.
    #[error("two of its keys have the same kid")]
    Twice,
}

/// The keys of a set that tokens can be verified with, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(BTreeMap<String, PublicKey>);

impl KeySet {
    /// Reads a set. A key of another kind, for another use, or without a name is passed over (RFC 7517, section 5).
    ///
    /// # Errors
    /// What is wrong with the set as a whole.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        let node = Node::parse(bytes, KEY_SET_BYTES_MAX)
            .map_err(|problem| KeySetError::Json(problem.to_string()))?;
        let Node::Object(mut members) = node else { return Err(KeySetError::Form) };
        let Some(Node::List(nodes)) = members.remove("keys") else { return Err(KeySetError::Form) };
        if nodes.len() > KEYS_MAX {
            return Err(KeySetError::TooMany { count: nodes.len() });
        }
        let mut keys = BTreeMap::new();
        for (id, key) in nodes.into_iter().filter_map(read) {
            if keys.insert(id, key).is_some() {
                return Err(KeySetError::Twice);
            }
        }
        Ok(Self(keys))
    }

    /// The key of this name.
    pub fn find(&self, id: &str) -> Option<&PublicKey> {
        self.0.get(id)
    }
}

/// A key that tokens can be verified with, and its name.
fn read(node: Node) -> Option<(String, PublicKey)> {
    let Node::Object(members) = node else { return None };
    let text = |name: &str| text_of(&members, name);
    let id = text("kid").filter(|id| (1..=KEY_ID_BYTES_MAX).contains(&id.len()))?;
    let key = match (text("kty")?, text("crv")?) {
        ("OKP", "Ed25519") => PublicKey::ed25519(text("x")?)?,
        ("EC", "P-256") => PublicKey::p256(text("x")?, text("y")?)?,
        _ => return None,
    };
    let is_absent_or = |name: &str, is_right: &dyn Fn(&Node) -> bool| members.get(name).is_none_or(is_right);
    let verifies = |node: &Node| *node == Node::Text("verify".to_owned());
    let is_for_signatures = is_absent_or("use", &|node| *node == Node::Text("sig".to_owned()))
        && is_absent_or("key_ops", &|node| matches!(node, Node::List(uses) if uses.iter().any(verifies)))
        && is_absent_or("alg", &|_| text("alg").and_then(Algorithm::from_name) == Some(key.algorithm()));
    // A key whose private half is published is nobody's secret any more.
    let is_public = !members.contains_key("d");
    (is_for_signatures && is_public).then(|| (id.to_owned(), key))
}

#[cfg(test)]
mod tests;

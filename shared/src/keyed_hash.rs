//! HMAC-SHA256 under a secret that is used again and again.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A secret that has been taken in. Half of the work on a short text is taking in the secret, so it is done once.
#[derive(Clone)]
pub struct KeyedHash(Hmac<Sha256>);

impl KeyedHash {
    /// Takes a secret of any length in.
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes a key of any length"))
    }

    /// The keyed hash of a text.
    pub fn of(&self, text: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(text);
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyedHash")
    }
}

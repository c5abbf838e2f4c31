//! Which tokens have been verified: one that is shown again is not verified again, which in WebAssembly takes longer than all
//! else that a request with a cached answer needs.

use std::cell::RefCell;
use std::collections::VecDeque;

use adlib_shared::keyed_hash::KeyedHash;

use super::public_key::PublicKey;

/// Most tokens that an instance remembers; the one that was verified first is forgotten first.
pub const VERIFIED_MAX: usize = 64;

/// The last tokens whose signatures held, as digests over token and key.
#[derive(Debug)]
pub struct Verified {
    digest: KeyedHash,
    last: RefCell<VecDeque<[u8; 32]>>,
}

impl Default for Verified {
    fn default() -> Self {
        // What is hashed stays in the instance, so any secret will do.
        Self { digest: KeyedHash::new(b"adlib verified tokens"), last: RefCell::default() }
    }
}

impl Verified {
    /// Whether the key has signed the token: as it was remembered, or as `verify` finds, which is then remembered.
    pub fn check(&self, token: &str, key: &PublicKey, verify: impl FnOnce() -> bool) -> bool {
        let key = key.to_bytes();
        // The key's length tells its kind, and where the token begins.
        let digest = self.digest.of(&[&[key.len() as u8][..], &key, token.as_bytes()].concat());
        if self.last.borrow().contains(&digest) {
            return true;
        }
        let holds = verify();
        if holds {
            let mut last = self.last.borrow_mut();
            last.truncate(VERIFIED_MAX - 1);
            last.push_front(digest);
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authenticate::key_set::KeySet;
    use crate::authenticate::token::signer::{Signer, key_set};

    fn key(seed: u8) -> PublicKey {
        let set = KeySet::parse(key_set(&[&Signer::ed25519("one", seed)]).as_bytes()).expect("a set");
        set.find("one").expect("a key").clone()
    }

    #[test]
    fn a_token_is_verified_once_for_each_key_and_never_taken_for_another() {
        let verified = Verified::default();
        assert!(verified.check("a.b.c", &key(1), || true));
        assert!(verified.check("a.b.c", &key(1), || false), "it is remembered");
        for (token, seed) in [("a.b.d", 1), ("a.b.c", 2), ("a.b.", 1), ("a.b.cc", 1)] {
            assert!(!verified.check(token, &key(seed), || false), "{token}");
        }
        assert!(!verified.check("a.b.d", &key(1), || false), "what does not hold is not remembered");
    }

    #[test]
    fn so_many_are_remembered_and_the_first_is_forgotten_first() {
        let (verified, key) = (Verified::default(), key(1));
        for number in 0..=VERIFIED_MAX {
            assert!(verified.check(&number.to_string(), &key, || true));
        }
        assert!(!verified.check("0", &key, || false));
        assert!((1..=VERIFIED_MAX).all(|number| verified.check(&number.to_string(), &key, || false)));
    }
}

//! The secrets of a key: the newest one and, for a while after a rotation, those before it.

use adlib_shared::api_key::KeyHash;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::RecordError;

/// Most secrets of a key that are taken at once: one more rotation waits until one of them has ended.
pub const SECRETS_MAX: usize = 4;

/// The secrets of a key, the newest one last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secrets(Vec<Secret>);

/// One secret, of which nothing but a keyed hash is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    #[serde(serialize_with = "write", deserialize_with = "read")]
    hash: KeyHash,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// From when on it is not taken any more, in seconds since 1970. The newest has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<u64>,
}

impl Secrets {
    /// The first secret of a key.
    pub fn new(hash: KeyHash, created: u64) -> Self {
        Self(vec![Secret { hash, created, ends: None }])
    }

    /// Reads what is stored.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        serde_json::from_slice(bytes).map_err(|error| RecordError::Form(error.to_string()))
    }

    /// Whether this is one of the secrets that are taken at this time, in seconds since 1970. All are compared.
    pub fn take(&self, hash: &KeyHash, now_s: u64) -> bool {
        self.live(now_s).fold(false, |taken, secret| (secret.hash == *hash) | taken)
    }

    /// The secrets that are taken at this time, in seconds since 1970.
    pub fn live(&self, now_s: u64) -> impl Iterator<Item = &Secret> {
        self.0.iter().filter(move |secret| secret.ends.is_none_or(|ends_s| ends_s > now_s))
    }

    /// The secrets after a rotation: the others end with the overlap, or before it where they do so already. `None`
    /// where there would be more than [`SECRETS_MAX`].
    pub fn rotate(&self, hash: KeyHash, now_s: u64, overlap_s: u64) -> Option<Self> {
        let ends_s = now_s + overlap_s;
        let ending = |secret: &Secret| {
            let ends_s = secret.ends.unwrap_or(ends_s).min(ends_s);
            Secret { ends: Some(ends_s), ..secret.clone() }
        };
        let before = Self(self.0.iter().map(ending).collect());
        let mut secrets: Vec<Secret> = before.live(now_s).cloned().collect();
        secrets.push(Secret { hash, created: now_s, ends: None });
        (secrets.len() <= SECRETS_MAX).then_some(Self(secrets))
    }
}

fn write<S: Serializer>(hash: &KeyHash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hash.to_hex())
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyHash, D::Error> {
    let hex = String::deserialize(deserializer)?;
    KeyHash::from_hex(&hex).ok_or_else(|| serde::de::Error::custom("the hash of a secret has another form"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_S: u64 = 1_700_000_000;

    fn hash(number: u8) -> KeyHash {
        KeyHash::from_hex(&format!("{number:02x}").repeat(32)).expect("64 digits")
    }

    #[test]
    fn a_secret_is_taken_until_its_overlap_ends_and_no_longer() {
        let rotated = Secrets::new(hash(1), NOW_S).rotate(hash(2), NOW_S + 5, 60).expect("room");
        for (now_s, old) in [(NOW_S + 5, true), (NOW_S + 64, true), (NOW_S + 65, false)] {
            assert_eq!(rotated.take(&hash(1), now_s), old, "{now_s}");
            assert!(rotated.take(&hash(2), now_s) && !rotated.take(&hash(3), now_s));
        }
        let at_once = rotated.rotate(hash(3), NOW_S + 6, 0).expect("room");
        assert_eq!(at_once.live(NOW_S + 6).count(), 1);
    }

    #[test]
    fn a_rotation_that_was_tried_again_leaves_the_secret_in_use_alive_up_to_the_limit() {
        let mut secrets = Secrets::new(hash(0), NOW_S);
        for number in 1..SECRETS_MAX as u8 {
            secrets = secrets.rotate(hash(number), NOW_S, 60).expect("room");
        }
        assert!((0..SECRETS_MAX as u8).all(|number| secrets.take(&hash(number), NOW_S + 59)));
        assert_eq!(secrets.rotate(hash(9), NOW_S + 59, 60), None);
        assert!(secrets.rotate(hash(9), NOW_S + 60, 60).is_some(), "the others have ended");
        assert!(secrets.rotate(hash(9), NOW_S, 0).is_some(), "the others end at once");
    }

    proptest! {
        #[test]
        fn no_rotation_prolongs_a_secret_and_the_newest_has_no_end(
            rotations in prop::collection::vec((0..100_u64, 0..200_u64), 1..8),
        ) {
            let (mut secrets, mut now_s) = (Secrets::new(hash(0), NOW_S), NOW_S);
            for (number, (later_s, overlap_s)) in (1..).zip(rotations) {
                now_s += later_s;
                let before = secrets.clone();
                let Some(after) = before.rotate(hash(number), now_s, overlap_s) else { continue };
                for at_s in [now_s, now_s + overlap_s, now_s + overlap_s + 1] {
                    for old in 0..number {
                        let expected = before.take(&hash(old), at_s) && at_s < now_s + overlap_s;
                        prop_assert_eq!(after.take(&hash(old), at_s), expected);
                    }
                }
                prop_assert!(after.take(&hash(number), u64::MAX));
                let stored = serde_json::to_vec(&after).expect("secrets are written");
                prop_assert_eq!(Secrets::parse(&stored), Ok(after.clone()));
                secrets = after;
            }
        }
    }
}

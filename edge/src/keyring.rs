//! The keys that are known without asking the store, from the variable `api_keys`.
//!
//! Entries are separated by spaces, commas or line ends, and each is `hash:tenant:name` or `hash:tenant:name:scopes`:
//! `hash` is HMAC-SHA256(`key_pepper`, key) in hexadecimal digits, `tenant` owns the key's cache entries and usage, `name`
//! tells people which key it is, and `scopes` are joined by `+`, as in `copy+admin`; without them there is `copy` alone.
//! Tenant and name are 1 to 64 letters, digits, `_`, `.` and `-`, and begin with a letter or digit. The keys themselves
//! are nowhere.

use adlib_shared::api_key::{ApiKey, KeyHash};
use adlib_shared::key::{KeyId, Scope, is_name};
use adlib_shared::keyed_hash::KeyedHash;

/// Most keys in the variable; more of them belong into the store.
pub const KEYS_MAX: usize = 256;

/// Why `api_keys` is not accepted. The entry is named by its place, because its text is half a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// An entry is not of the form.
    #[error("has an entry, number {number}, that is not of the form hash:tenant:name:scopes")]
    Form {
        /// Its place, from 1.
        number: usize,
    },
    /// There are too many.
    #[error("has {count} entries; at most {KEYS_MAX} are taken")]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

/// The pepper of all key hashes, and the keys of the variable.
pub struct Keyring {
    pepper: KeyedHash,
    keys: Vec<KnownKey>,
}

/// One key of the variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// The keyed hash of the key.
    pub hash: KeyHash,
    /// Whose key it is.
    pub tenant: String,
    /// Which key it is.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
}

impl Keyring {
    /// Reads the variable.
    ///
    /// # Errors
    /// The first entry that is not of the form.
    pub fn parse(pepper: &[u8], text: &str) -> Result<Self, KeyringError> {
        let entries: Vec<&str> =
            text.split([' ', ',', '\n', '\r', '\t']).filter(|entry| !entry.is_empty()).collect();
        if entries.len() > KEYS_MAX {
            return Err(KeyringError::TooMany { count: entries.len() });
        }
        let read = |(index, entry): (usize, &&str)| {
            KnownKey::parse(entry).ok_or(KeyringError::Form { number: index + 1 })
        };
        let keys = entries.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self { pepper: KeyedHash::new(pepper), keys })
    }

    /// The keyed hash of a key.
    pub fn hash(&self, key: &ApiKey) -> KeyHash {
        key.hash_under(&self.pepper)
    }

    /// By which id the bearer of an issuer's tokens is counted and blocked, with whichever token. It is none of a key, whose
    /// hash is one of another text.
    pub fn id_of_bearer(&self, issuer: &str, tenant: &str, subject: &str) -> KeyId {
        let parts = [issuer, tenant, subject].map(|part| format!(" {}:{part}", part.len()));
        let [a, b, c, d, e, f, g, h, ..] = self.derive(&format!("adlib token{}", parts.concat()));
        KeyId([a, b, c, d, e, f, g, h])
    }

    /// The key with this hash. All keys are compared, each in constant time.
    pub fn find(&self, hash: &KeyHash) -> Option<&KnownKey> {
        self.keys.iter().fold(None, |found, known| if known.hash == *hash { Some(known) } else { found })
    }

    /// A secret for another purpose, which tells nothing about the pepper.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        self.pepper.of(purpose.as_bytes())
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl KnownKey {
    fn parse(entry: &str) -> Option<Self> {
        let mut parts = entry.splitn(4, ':');
        let hash = KeyHash::from_hex(parts.next()?)?;
        let (tenant, name) = (parts.next()?, parts.next()?);
        let words = parts.next().unwrap_or(Scope::Copy.as_str());
        let scopes = words.split('+').map(Scope::from_word).collect::<Option<_>>()?;
        let named = is_name(tenant) && is_name(name);
        named.then(|| Self { hash, tenant: tenant.to_owned(), name: name.to_owned(), scopes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adlib_shared::api_key::Kind;

    const PEPPER: &[u8] = b"a pepper for tests only";

    fn key(entropy: u8) -> ApiKey {
        ApiKey::generate(Kind::Test, [entropy; 16])
    }

    fn entry(entropy: u8, rest: &str) -> String {
        format!("{}:{rest}", key(entropy).hash(PEPPER).to_hex())
    }

    #[test]
    fn a_key_is_found_by_the_hash_under_the_same_pepper() {
        let list = format!("{}, {}\n{}", entry(1, "acme:ci"), entry(2, "acme:web"), entry(3, "other:dev"));
        let keyring = Keyring::parse(PEPPER, &list).expect("a list");
        let found = keyring.find(&keyring.hash(&key(2))).expect("a known key");
        assert_eq!((found.tenant.as_str(), found.name.as_str()), ("acme", "web"));
        assert!(keyring.find(&keyring.hash(&key(9))).is_none());
        let other = Keyring::parse(b"another pepper, also long", &list).expect("a list");
        assert!(other.find(&other.hash(&key(2))).is_none());
    }

    #[test]
    fn the_bearers_of_tokens_are_told_apart_by_issuer_tenant_and_subject() {
        let keyring = Keyring::parse(PEPPER, "").expect("no keys");
        let bearers = [
            ("i", "t", "s"),
            ("i", "t", "s2"),
            ("i", "t2", "s"),
            ("i2", "t", "s"),
            ("i", "t 1:s", "s"),
            ("i 1:t", "t", "s"),
            ("i", "ts", ""),
        ];
        for (at, (issuer, tenant, subject)) in bearers.into_iter().enumerate() {
            let id = keyring.id_of_bearer(issuer, tenant, subject);
            let same =
                bearers.map(|(issuer, tenant, subject)| id == keyring.id_of_bearer(issuer, tenant, subject));
            assert!(same.into_iter().enumerate().all(|(other, is_same)| is_same == (other == at)), "{at}");
        }
        let other = Keyring::parse(b"another pepper, also long", "").expect("no keys");
        assert_ne!(keyring.id_of_bearer("i", "t", "s"), other.id_of_bearer("i", "t", "s"));
    }

    #[test]
    fn an_entry_names_its_scopes_or_has_copy_alone() {
        let list = format!("{} {}", entry(1, "acme:ci"), entry(2, "ops:first:copy+admin"));
        let keyring = Keyring::parse(PEPPER, &list).expect("a list");
        let scopes =
            |entropy| keyring.find(&keyring.hash(&key(entropy))).expect("a known key").scopes.clone();
        assert_eq!((scopes(1), scopes(2)), (vec![Scope::Copy], vec![Scope::Copy, Scope::Admin]));
    }

    #[test]
    fn an_entry_of_another_form_is_named_by_its_place() {
        for rest in [
            "acme",
            ":ci",
            "acme:",
            "ac me:ci",
            "-acme:ci",
            "acme:ci:more",
            "äcme:ci",
            "acme:ci:",
            "acme:ci:copy+",
            "acme:ci:copy:admin",
        ] {
            let list = format!("{} {}", entry(1, "acme:ci"), entry(2, rest));
            let error = Keyring::parse(PEPPER, &list).expect_err(rest);
            assert!(error.to_string().contains("number 2"), "{rest}: {error}");
        }
        assert!(Keyring::parse(PEPPER, "abc:acme:ci").is_err());
    }

    #[test]
    fn the_list_is_bounded() {
        let list = |count: usize| vec![entry(1, "acme:ci"); count].join(" ");
        assert!(Keyring::parse(PEPPER, &list(KEYS_MAX)).is_ok());
        let error = Keyring::parse(PEPPER, &list(KEYS_MAX + 1));
        assert_eq!(error.err(), Some(KeyringError::TooMany { count: KEYS_MAX + 1 }));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let keyring = Keyring::parse(PEPPER, &entry(1, "acme:ci")).expect("a list");
        let hash = key(1).hash(PEPPER).to_hex();
        let printed = format!("{keyring:?}");
        assert!(!printed.contains("pepper for tests") && !printed.contains(&hash), "{printed}");
    }
}

//! API keys: their form, their checksum, and the keyed hash that is stored in their place.

use data_encoding::HEXLOWER_PERMISSIVE;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::key::KeyId;
use crate::keyed_hash::KeyedHash;
use crate::limits::{API_KEY_BODY_CHARS_MAX, API_KEY_BODY_CHARS_MIN};
use crate::named::named_enum;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of base 62 that hold the checksum's 32 bits.
const CHECKSUM_CHARS: usize = 6;

named_enum! {
    /// What a key is for.
    Kind {
        Test = "test", "Development and tests";
        Live = "live", "Real traffic";
    }
}

/// Why a text is not a key. The text itself is not repeated: it may be a key with a slip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// It does not begin with `ck_test_` or `ck_live_`.
    #[error("a key begins with ck_test_ or ck_live_")]
    Prefix,
    /// It is too short or too long.
    #[error(
        "a key has {API_KEY_BODY_CHARS_MIN} to {API_KEY_BODY_CHARS_MAX} characters and a checksum of {CHECKSUM_CHARS} after its prefix"
    )]
    Length,
    /// It holds something else than letters and digits.
    #[error("a key holds only letters and digits after its prefix")]
    Character,
    /// Its checksum is not that of its other characters.
    #[error("the checksum of the key does not hold")]
    Checksum,
}

/// A key of the form `ck_(test|live)_<22 or more characters of base 62><6 characters of checksum>`. One that the edge
/// makes has its [`KeyId`] before the 22 random characters.
///
/// It is a secret: it is not printed and not compared; what is stored and compared is its [`KeyHash`].
#[derive(Clone)]
pub struct ApiKey {
    kind: Kind,
    text: String,
}

impl ApiKey {
    /// Reads a key and verifies its checksum, so that a slip is told from a key that is not known.
    ///
    /// # Errors
    /// Whatever of [`ApiKeyError`] the text is.
    pub fn parse(text: &str) -> Result<Self, ApiKeyError> {
        let (kind, body) = Kind::ALL
            .iter()
            .find_map(|&kind| Some((kind, text.strip_prefix(prefix(kind))?)))
            .ok_or(ApiKeyError::Prefix)?;
        let random = body.len().checked_sub(CHECKSUM_CHARS).ok_or(ApiKeyError::Length)?;
        if !(API_KEY_BODY_CHARS_MIN..=API_KEY_BODY_CHARS_MAX).contains(&random) {
            return Err(ApiKeyError::Length);
        }
        if !body.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(ApiKeyError::Character);
        }
        let (signed, found) = text.split_at(text.len() - CHECKSUM_CHARS);
        if bool::from(checksum(signed).as_bytes().ct_eq(found.as_bytes())) {
            Ok(Self { kind, text: text.to_owned() })
        } else {
            Err(ApiKeyError::Checksum)
        }
    }

    /// Makes a key of 128 bits that the caller drew at random.
    pub fn generate(kind: Kind, entropy: [u8; 16]) -> Self {
        Self::sign(kind, &random(entropy))
    }

    /// Makes a key that says which one it is, so that it can be looked up; 128 bits after the id are random.
    pub fn with_id(kind: Kind, id: KeyId, entropy: [u8; 16]) -> Self {
        Self::sign(kind, &format!("{id}{}", random(entropy)))
    }

    fn sign(kind: Kind, body: &str) -> Self {
        let signed = format!("{}{body}", prefix(kind));
        let text = format!("{signed}{}", checksum(&signed));
        Self { kind, text }
    }

    /// Which key it says to be, if it is of the length of one that does.
    pub fn id(&self) -> Option<KeyId> {
        let body = &self.text[prefix(self.kind).len()..self.text.len() - CHECKSUM_CHARS];
        let (id, random) = body.split_at_checked(KeyId::CHARS)?;
        if random.len() == API_KEY_BODY_CHARS_MIN { KeyId::parse(id) } else { None }
    }

    /// What the key is for.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The key itself, to be shown once to the one it is made for.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What is stored in place of the key.
    pub fn hash(&self, pepper: &[u8]) -> KeyHash {
        self.hash_under(&KeyedHash::new(pepper))
    }

    /// What is stored in place of the key, where the pepper has been taken in before.
    pub fn hash_under(&self, pepper: &KeyedHash) -> KeyHash {
        KeyHash(pepper.of(self.text.as_bytes()))
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKey({}…)", prefix(self.kind))
    }
}

/// HMAC-SHA256 of a key under the deployment's pepper. It is compared in constant time.
#[derive(Debug, Clone, Copy)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Reads the hex form, in small or capital letters.
    pub fn from_hex(hex: &str) -> Option<Self> {
        let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The hex form, 64 characters.
    pub fn to_hex(&self) -> String {
        HEXLOWER_PERMISSIVE.encode(&self.0)
    }

    /// The id of a key that has no other one: the first 16 characters of the hex form.
    pub fn id(&self) -> KeyId {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        KeyId([a, b, c, d, e, f, g, h])
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyHash {}

const fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Test => "ck_test_",
        Kind::Live => "ck_live_",
    }
}

/// The first 32 bits of the SHA-256 of everything before it, in base 62. It finds slips, it proves nothing.
fn checksum(signed: &str) -> String {
    let digest = Sha256::digest(signed.as_bytes());
    let head = digest.iter().take(4).fold(0_u128, |value, &byte| value << 8 | u128::from(byte));
    base62(head, CHECKSUM_CHARS)
}

/// 128 bits in base 62.
fn random(entropy: [u8; 16]) -> String {
    base62(u128::from_be_bytes(entropy), API_KEY_BODY_CHARS_MIN)
}

/// A number in base 62 with leading zeros.
fn base62(mut value: u128, chars: usize) -> String {
    let mut digits = vec![b'0'; chars];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(value % 62) as usize];
        value /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

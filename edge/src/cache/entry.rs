//! One stored answer: a small header, the scope, then the body, compressed where that pays.
//!
//! ```text
//! offset  bytes
//!      0      4  magic "ADL2"; the digit is the schema's version
//!      4     16  XXH3-128 over everything that follows, little-endian
//!     20      1  flags: bit 0, the body is compressed; bit 1, it is a refusal
//!     21      1  length of the scope
//!     22      2  zero
//!     24     32  the key in full
//!     56      8  when it was made, seconds since 1970, little-endian
//!     64      4  how long it is fresh, seconds, little-endian
//!     68      4  length of the body before compression, little-endian
//!     72     16  the hard epochs it was made under, little-endian
//!     88     16  the soft epochs it was made under, little-endian
//!    104      …  the scope: whose answer it is
//!      …      …  the body
//! ```
//!
//! The digest finds damage. It keeps nobody out: who can write to the store can write an answer. A cryptographic one would
//! be the dearest part of a hit in WebAssembly.

use bytes::Bytes;
use twox_hash::XxHash3_128;

use super::codec;
use super::epochs::Epochs;

/// Largest body of an entry, in bytes before compression: ten variants with all their checks take about half.
/// A larger copy is answered but not stored.
pub const ENTRY_BODY_BYTES_MAX: usize = 512 * 1024;
/// Bodies over this size are compressed, in bytes.
pub const COMPRESS_OVER_BYTES: usize = 1024;

const MAGIC: [u8; 4] = *b"ADL2";
const SEAL_BYTES: usize = MAGIC.len() + 16;
const HEADER_BYTES: usize = SEAL_BYTES + 84;
const COMPRESSED: u8 = 1;
const REFUSAL: u8 = 2;

/// What an answer is kept under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The key.
    pub key: [u8; 32],
    /// Whose answer it is: the tenant. The key covers it too; it stands here again so that no fault in a key can hand
    /// one tenant's answer to another.
    pub scope: String,
    /// When it was made, in seconds since 1970.
    pub created_s: u64,
    /// How long it is fresh, in seconds.
    pub ttl_s: u32,
    /// The epochs that were current when it was asked for.
    pub epochs: Epochs,
}

/// What kind of answer is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A copy.
    Copy,
    /// A problem document: the brief cannot be met, whoever asks and however often.
    Refusal,
}

/// A stored answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is kept under.
    pub stamp: Stamp,
    /// What it is.
    pub kind: Kind,
    /// The digest over everything else as it is stored; it names this answer.
    pub digest: u128,
    /// The copy, or the problem document, as JSON.
    pub body: Bytes,
}

/// Why stored bytes are not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Of another version, or something else.
    #[error("not an entry of this version")]
    Version,
    /// The header contradicts itself or the limits.
    #[error("the header is not valid")]
    Header,
    /// The body does not unpack to the length that was stored.
    #[error("the body does not unpack")]
    Body,
    /// Body or header are not what was stored.
    #[error("the entry does not match its digest")]
    Digest,
}

impl Entry {
    /// A new entry, and the bytes that are stored for it; `None` where the body is over [`ENTRY_BODY_BYTES_MAX`].
    pub fn seal(stamp: Stamp, kind: Kind, body: Bytes) -> Option<(Self, Vec<u8>)> {
        let scope_length = u8::try_from(stamp.scope.len()).ok()?;
        if body.len() > ENTRY_BODY_BYTES_MAX {
            return None;
        }
        let packed = if body.len() > COMPRESS_OVER_BYTES { Some(codec::pack(&body)) } else { None };
        let packed = packed.filter(|packed| packed.len() < body.len());
        let compressed = if packed.is_some() { COMPRESSED } else { 0 };
        let refusal = if kind == Kind::Refusal { REFUSAL } else { 0 };
        let stored = packed.as_deref().unwrap_or(&body);
        let mut covered = Vec::with_capacity(HEADER_BYTES - SEAL_BYTES + stamp.scope.len() + stored.len());
        covered.extend_from_slice(&[compressed | refusal, scope_length, 0, 0]);
        covered.extend_from_slice(&stamp.key);
        covered.extend_from_slice(&stamp.created_s.to_le_bytes());
        covered.extend_from_slice(&stamp.ttl_s.to_le_bytes());
        covered.extend_from_slice(&(body.len() as u32).to_le_bytes());
        covered.extend_from_slice(&stamp.epochs.hard.to_le_bytes());
        covered.extend_from_slice(&stamp.epochs.soft.to_le_bytes());
        covered.extend_from_slice(stamp.scope.as_bytes());
        covered.extend_from_slice(stored);
        let digest = XxHash3_128::oneshot(&covered);
        let sealed = [&MAGIC[..], &digest.to_le_bytes(), &covered].concat();
        Some((Self { stamp, kind, digest, body }, sealed))
    }

    /// Reads what was stored and verifies it.
    ///
    /// # Errors
    /// What is wrong with it. Nothing is allocated on the word of the header beyond [`ENTRY_BODY_BYTES_MAX`].
    pub fn open(bytes: &[u8]) -> Result<Self, EntryError> {
        let mut rest = bytes;
        if take::<4>(&mut rest)? != MAGIC {
            return Err(EntryError::Version);
        }
        let digest = u128::from_le_bytes(take(&mut rest)?);
        if XxHash3_128::oneshot(rest) != digest {
            return Err(EntryError::Digest);
        }
        let [flags, scope_length, 0, 0] = take::<4>(&mut rest)? else { return Err(EntryError::Header) };
        let key = take::<32>(&mut rest)?;
        let created_s = u64::from_le_bytes(take(&mut rest)?);
        let ttl_s = u32::from_le_bytes(take(&mut rest)?);
        let length = u32::from_le_bytes(take(&mut rest)?) as usize;
        let hard = u128::from_le_bytes(take(&mut rest)?);
        let soft = u128::from_le_bytes(take(&mut rest)?);
        if flags & !(COMPRESSED | REFUSAL) != 0 || length > ENTRY_BODY_BYTES_MAX {
            return Err(EntryError::Header);
        }
        let (scope, rest) = rest.split_at_checked(scope_length.into()).ok_or(EntryError::Header)?;
        let scope = std::str::from_utf8(scope).map_err(|_| EntryError::Header)?.to_owned();
        let body = if flags & COMPRESSED == 0 { Some(rest.to_vec()) } else { codec::unpack(rest, length) };
        let body = body.filter(|body| body.len() == length).ok_or(EntryError::Body)?;
        let kind = if flags & REFUSAL == 0 { Kind::Copy } else { Kind::Refusal };
        let stamp = Stamp { key, scope, created_s, ttl_s, epochs: Epochs { hard, soft } };
        Ok(Self { stamp, kind, digest, body: body.into() })
    }
}

/// The next `N` bytes.
fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], EntryError> {
    let (first, rest) = bytes.split_first_chunk::<N>().ok_or(EntryError::Header)?;
    *bytes = rest;
    Ok(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(length: usize) -> (Entry, Vec<u8>) {
        let body: Vec<u8> = b"{\"variants\":[\"spring\"]}".iter().copied().cycle().take(length).collect();
        Entry::seal(stamp("acme"), Kind::Copy, body.into()).expect("a body within the limit")
    }

    fn stamp(scope: &str) -> Stamp {
        let epochs = Epochs { hard: 3, soft: 5 };
        Stamp { key: [7; 32], scope: scope.to_owned(), created_s: 1_700_000_000, ttl_s: 7200, epochs }
    }

    /// The bytes with a digest that holds, as someone would write them who lies on purpose.
    fn resealed(covered: &[u8]) -> Vec<u8> {
        let digest = XxHash3_128::oneshot(covered);
        [&MAGIC[..], &digest.to_le_bytes(), covered].concat()
    }

    #[test]
    fn an_entry_opens_as_it_was_sealed() {
        for length in [0, 1, COMPRESS_OVER_BYTES, COMPRESS_OVER_BYTES + 1, 20_000, ENTRY_BODY_BYTES_MAX] {
            let (entry, bytes) = sealed(length);
            assert_eq!(Entry::open(&bytes), Ok(entry), "{length}");
        }
        for scope in ["", "acme", &"t".repeat(255)] {
            let (entry, bytes) =
                Entry::seal(stamp(scope), Kind::Refusal, Bytes::from_static(b"{}")).expect("a small body");
            assert_eq!(Entry::open(&bytes), Ok(entry), "{scope}");
        }
        assert!(Entry::seal(stamp(&"t".repeat(256)), Kind::Copy, Bytes::new()).is_none());
    }

    #[test]
    fn only_bodies_over_the_threshold_are_compressed() {
        assert_eq!(sealed(COMPRESS_OVER_BYTES).1.len(), HEADER_BYTES + 4 + COMPRESS_OVER_BYTES);
        assert!(sealed(COMPRESS_OVER_BYTES + 1).1.len() < COMPRESS_OVER_BYTES);
    }

    #[test]
    fn a_body_that_does_not_shrink_is_stored_as_it_is() {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let body: Vec<u8> = (0..4096).map(|_| noise()).collect();
        let (entry, bytes) =
            Entry::seal(stamp(""), Kind::Copy, body.into()).expect("a body within the limit");
        assert_eq!(bytes.len(), HEADER_BYTES + 4096);
        assert_eq!(Entry::open(&bytes), Ok(entry));
    }

    #[test]
    fn a_body_over_the_limit_is_not_an_entry() {
        assert!(Entry::seal(stamp(""), Kind::Copy, vec![0; ENTRY_BODY_BYTES_MAX + 1].into()).is_none());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        for length in [300, 3000] {
            let (_, bytes) = sealed(length);
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1;
                assert!(Entry::open(&damaged).is_err(), "bit of byte {at}");
                assert!(Entry::open(&bytes[..at]).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn a_header_that_lies_under_a_digest_that_holds_is_refused() {
        let (_, bytes) = sealed(3000);
        let covered = &bytes[SEAL_BYTES..];
        assert!(Entry::open(&resealed(covered)).is_ok());
        for (at, lie, error) in [
            (0, &[4][..], EntryError::Header),
            (1, &[u8::MAX], EntryError::Header),
            (2, &[1], EntryError::Header),
            (48, &u32::MAX.to_le_bytes(), EntryError::Header),
            (48, &2999_u32.to_le_bytes(), EntryError::Body),
            (48, &3001_u32.to_le_bytes(), EntryError::Body),
        ] {
            let mut lying = covered.to_vec();
            lying[at..at + lie.len()].copy_from_slice(lie);
            assert_eq!(Entry::open(&resealed(&lying)), Err(error), "{lie:?} at {at}");
        }
        for cut in 0..HEADER_BYTES - SEAL_BYTES {
            assert_eq!(Entry::open(&resealed(&covered[..cut])), Err(EntryError::Header));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_an_error_and_never_a_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            proptest::prop_assert!(Entry::open(&bytes).is_err());
            let compressed = [&[COMPRESSED, 0, 0, 0][..], &[0; 44], &100_u32.to_le_bytes(), &[0; 32], &bytes].concat();
            proptest::prop_assert!(Entry::open(&resealed(&compressed)).is_ok_and(|entry| entry.body.len() == 100)
                || Entry::open(&resealed(&compressed)) == Err(EntryError::Body));
        }
    }
}

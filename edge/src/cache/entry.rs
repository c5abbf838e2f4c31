//! One stored answer: a small header, then the body, compressed where that pays.
//!
//! ```text
//! offset  bytes
//!      0      4  magic "ADL1"; the digit is the schema's version
//!      4      1  flags: bit 0, the body is compressed
//!      5      3  zero
//!      8     32  SHA-256 over the 48 bytes that follow and the body as it was before compression
//!     40     32  the key in full
//!     72      8  when it was made, seconds since 1970, little-endian
//!     80      4  how long it is fresh, seconds, little-endian
//!     84      4  length of the body before compression, little-endian
//!     88      …  the body
//! ```

use sha2::{Digest, Sha256};

use super::codec;

/// Largest body of an entry, in bytes before compression: ten variants with all their checks take about half.
/// A larger copy is answered but not stored.
pub const ENTRY_BODY_BYTES_MAX: usize = 512 * 1024;
/// Bodies over this size are compressed, in bytes.
pub const COMPRESS_OVER_BYTES: usize = 1024;

const MAGIC: [u8; 4] = *b"ADL1";
const COVERED_BYTES: usize = 48;
const HEADER_BYTES: usize = 40 + COVERED_BYTES;
const COMPRESSED: u8 = 1;

/// A stored answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key it is stored under.
    pub key: [u8; 32],
    /// When it was made, in seconds since 1970.
    pub created_s: u64,
    /// How long it is fresh, in seconds.
    pub ttl_s: u32,
    /// SHA-256 over everything else; it names this answer.
    pub digest: [u8; 32],
    /// The copy as JSON.
    pub body: Vec<u8>,
}

/// Why stored bytes are not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Shorter than a header, or of another version.
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
    /// A new entry; `None` where the body is over [`ENTRY_BODY_BYTES_MAX`].
    pub fn new(key: [u8; 32], created_s: u64, ttl_s: u32, body: Vec<u8>) -> Option<Self> {
        if body.len() > ENTRY_BODY_BYTES_MAX {
            return None;
        }
        let mut entry = Self { key, created_s, ttl_s, digest: [0; 32], body };
        entry.digest = digest_of(&entry.covered(), &entry.body);
        Some(entry)
    }

    /// The entry as it is stored.
    pub fn encode(&self) -> Vec<u8> {
        let body = &self.body;
        let packed = if body.len() > COMPRESS_OVER_BYTES { Some(codec::pack(body)) } else { None };
        let packed = packed.filter(|packed| packed.len() < body.len());
        let flags = if packed.is_some() { COMPRESSED } else { 0 };
        let stored = packed.as_deref().unwrap_or(body);
        let mut bytes = Vec::with_capacity(HEADER_BYTES + stored.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[flags, 0, 0, 0]);
        bytes.extend_from_slice(&self.digest);
        bytes.extend_from_slice(&self.covered());
        bytes.extend_from_slice(stored);
        bytes
    }

    /// Reads what was stored and verifies it.
    ///
    /// # Errors
    /// What is wrong with it. Nothing is allocated on the word of the header beyond [`ENTRY_BODY_BYTES_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let (header, stored) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(EntryError::Version)?;
        let mut header = &header[..];
        if take::<4>(&mut header)? != MAGIC {
            return Err(EntryError::Version);
        }
        let [flags, 0, 0, 0] = take::<4>(&mut header)? else { return Err(EntryError::Header) };
        let digest = take::<32>(&mut header)?;
        let key = take::<32>(&mut header)?;
        let created_s = u64::from_le_bytes(take(&mut header)?);
        let ttl_s = u32::from_le_bytes(take(&mut header)?);
        let length = u32::from_le_bytes(take(&mut header)?) as usize;
        if flags & !COMPRESSED != 0 || length > ENTRY_BODY_BYTES_MAX {
            return Err(EntryError::Header);
        }
        let body =
            if flags & COMPRESSED == 0 { Some(stored.to_vec()) } else { codec::unpack(stored, length) };
        let body = body.filter(|body| body.len() == length).ok_or(EntryError::Body)?;
        let entry = Self { key, created_s, ttl_s, digest, body };
        if digest_of(&entry.covered(), &entry.body) == digest { Ok(entry) } else { Err(EntryError::Digest) }
    }

    /// The part of the header that the digest covers.
    fn covered(&self) -> [u8; COVERED_BYTES] {
        let mut bytes = [0; COVERED_BYTES];
        let (key, rest) = bytes.split_at_mut(32);
        let (created, rest) = rest.split_at_mut(8);
        let (ttl, length) = rest.split_at_mut(4);
        key.copy_from_slice(&self.key);
        created.copy_from_slice(&self.created_s.to_le_bytes());
        ttl.copy_from_slice(&self.ttl_s.to_le_bytes());
        length.copy_from_slice(&(self.body.len() as u32).to_le_bytes());
        bytes
    }
}

fn digest_of(covered: &[u8], body: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(covered).chain_update(body).finalize().into()
}

/// The next `N` bytes of the header.
fn take<const N: usize>(header: &mut &[u8]) -> Result<[u8; N], EntryError> {
    let (first, rest) = header.split_first_chunk::<N>().ok_or(EntryError::Header)?;
    *header = rest;
    Ok(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(length: usize) -> Entry {
        let body = b"{\"variants\":[\"spring\"]}".iter().copied().cycle().take(length).collect();
        Entry::new([7; 32], 1_700_000_000, 7200, body).expect("a body within the limit")
    }

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        for length in [0, 1, COMPRESS_OVER_BYTES, COMPRESS_OVER_BYTES + 1, 20_000, ENTRY_BODY_BYTES_MAX] {
            let entry = entry(length);
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry), "{length}");
        }
    }

    #[test]
    fn only_bodies_over_the_threshold_are_compressed() {
        assert_eq!(entry(COMPRESS_OVER_BYTES).encode().len(), HEADER_BYTES + COMPRESS_OVER_BYTES);
        assert!(entry(COMPRESS_OVER_BYTES + 1).encode().len() < COMPRESS_OVER_BYTES);
    }

    #[test]
    fn a_body_that_does_not_shrink_is_stored_as_it_is() {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let body: Vec<u8> = (0..4096).map(|_| noise()).collect();
        let entry = Entry::new([1; 32], 0, 1, body).expect("a body within the limit");
        assert_eq!(entry.encode().len(), HEADER_BYTES + 4096);
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }

    #[test]
    fn a_body_over_the_limit_is_not_an_entry() {
        assert!(Entry::new([0; 32], 0, 1, vec![0; ENTRY_BODY_BYTES_MAX + 1]).is_none());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        for length in [300, 3000] {
            let entry = entry(length);
            let bytes = entry.encode();
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1;
                // Some flips in compressed bytes give the same body again, which is as good.
                let read = Entry::decode(&damaged);
                assert!(read.is_err() || read.as_ref() == Ok(&entry), "bit of byte {at}: {read:?}");
                assert!(Entry::decode(&bytes[..at]).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn a_length_that_lies_is_refused_before_anything_is_allocated() {
        let mut bytes = entry(3000).encode();
        bytes[84..88].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Entry::decode(&bytes), Err(EntryError::Header));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_an_entry_or_an_error(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            proptest::prop_assert!(Entry::decode(&bytes).is_err());
            let mut bytes = bytes;
            bytes.splice(0..0, *b"ADL1\x01\0\0\0");
            proptest::prop_assert!(Entry::decode(&bytes).is_err());
        }
    }
}

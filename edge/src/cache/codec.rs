//! The compression of stored bodies: LZ4's block format.
//!
//! A copy is mostly its checks, which repeat themselves, so LZ4 already makes a quarter of it. Deflate makes a fifth to a
//! sixth, but takes about ten times as long to unpack, and an entry is unpacked at every hit.

/// Packs a body.
pub(super) fn pack(body: &[u8]) -> Vec<u8> {
    lz4_flex::block::compress(body)
}

/// Unpacks a body of exactly `length` bytes; `None` where it is not one.
pub(super) fn unpack(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    lz4_flex::block::decompress(packed, length).ok()
}

//! The compression of stored bodies.

/// Packs a body.
pub(super) fn pack(body: &[u8]) -> Vec<u8> {
    lz4_flex::block::compress(body)
}

/// Unpacks a body of exactly `length` bytes; `None` where it is not one.
pub(super) fn unpack(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    lz4_flex::block::decompress(packed, length).ok()
}

//! Reading a header's fields, never past its end.

use super::error::GgufError;
use super::{HEADER_BYTES_MAX, KEY_BYTES_MAX};

/// A position in a file's header.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes from the file's start.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Bytes of the whole file.
    pub(super) fn file_bytes(&self) -> usize {
        self.bytes.len()
    }

    fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], GgufError> {
        let left = self.remaining();
        if count > left {
            return Err(GgufError::Truncated { what, offset: self.position, needed: count as u64, left });
        }
        if self.position + count > HEADER_BYTES_MAX {
            let value = (self.position + count) as u64;
            return Err(GgufError::Limit {
                what: "the size of the header in bytes",
                value,
                limit: HEADER_BYTES_MAX,
            });
        }
        let taken = &self.bytes[self.position..self.position + count];
        self.position += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], GgufError> {
        let bytes = self.take(N, what)?;
        Ok(bytes.try_into().expect("take returns as many bytes as asked for"))
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, GgufError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, GgufError> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, GgufError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, GgufError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A count of things that take at least `bytes_each` bytes: refused beyond `limit`, and where the rest of the
    /// file could not hold so many.
    pub(super) fn count(
        &mut self,
        what: &'static str,
        limit: usize,
        bytes_each: usize,
    ) -> Result<usize, GgufError> {
        let value = self.u64(what)?;
        if value > limit as u64 {
            return Err(GgufError::Limit { what, value, limit });
        }
        let needed = value * bytes_each as u64;
        if needed > self.remaining() as u64 {
            return Err(GgufError::Truncated { what, offset: self.position, needed, left: self.remaining() });
        }
        Ok(value as usize)
    }

    /// A length and so many bytes of UTF-8.
    pub(super) fn text(&mut self, what: &'static str, bytes_max: usize) -> Result<&'a str, GgufError> {
        let offset = self.position;
        let length = self.count(what, bytes_max, 1)?;
        let bytes = self.take(length, what)?;
        std::str::from_utf8(bytes).map_err(|_| GgufError::Utf8 { what, offset })
    }

    pub(super) fn key(&mut self) -> Result<&'a str, GgufError> {
        self.text("a metadata key", KEY_BYTES_MAX)
    }
}

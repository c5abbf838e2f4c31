//! The tensor directory: names, shapes, encodings, and where the data lies.

use std::collections::HashSet;
use std::ops::Range;

use super::cursor::Cursor;
use super::error::{EntryError, GgufError};
use super::metadata::Metadata;
use super::value::Value;
use super::{ALIGNMENT_DEFAULT, ALIGNMENT_MAX, DIMENSIONS_MAX, NAME_BYTES_MAX};
use crate::model::encoding::Encoding;

/// Bytes that an entry takes at least: the name's length, the number of dimensions, one of them, type, offset.
pub(super) const ENTRY_BYTES_MIN: usize = 8 + 4 + 8 + 4 + 8;

/// A tensor in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorEntry {
    /// Its name.
    pub name: String,
    /// How its numbers are encoded.
    pub encoding: Encoding,
    /// Outermost dimension first, the reverse of the file's order.
    pub shape: Vec<usize>,
    /// Its bytes, from the file's start.
    pub range: Range<usize>,
}

/// An entry whose data has not been located.
struct Raw<'a> {
    name: &'a str,
    encoding: Encoding,
    shape: Vec<usize>,
    bytes: usize,
    offset: u64,
}

pub(super) fn parse(
    cursor: &mut Cursor<'_>,
    count: usize,
    metadata: &Metadata,
) -> Result<Vec<TensorEntry>, GgufError> {
    let alignment = alignment(metadata)?;
    let mut names = HashSet::with_capacity(count);
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let name = cursor.text("a tensor's name", NAME_BYTES_MAX)?;
        if !names.insert(name) {
            return Err(GgufError::DuplicateTensor(name.into()));
        }
        let entry = entry(cursor, name)?;
        if !entry.offset.is_multiple_of(alignment as u64) {
            return Err(of(name, EntryError::Misaligned { offset: entry.offset, alignment }));
        }
        entries.push(entry);
    }
    let data_start = cursor.position().next_multiple_of(alignment);
    let available = cursor.file_bytes().saturating_sub(data_start);
    let located = entries.into_iter().map(|entry| locate(entry, data_start, available));
    let entries = located.collect::<Result<Vec<_>, _>>()?;
    expect_disjoint(&entries)?;
    Ok(entries)
}

fn alignment(metadata: &Metadata) -> Result<usize, GgufError> {
    match metadata.get("general.alignment") {
        None => Ok(ALIGNMENT_DEFAULT),
        Some(Value::Unsigned(value))
            if value.is_power_of_two() && (8..=ALIGNMENT_MAX as u64).contains(value) =>
        {
            Ok(*value as usize)
        }
        Some(Value::Unsigned(value)) => Err(GgufError::Alignment(value.to_string())),
        Some(other) => Err(GgufError::Alignment(other.kind().into())),
    }
}

fn entry<'a>(cursor: &mut Cursor<'_>, name: &'a str) -> Result<Raw<'a>, GgufError> {
    let dimensions = cursor.u32("a tensor's number of dimensions")?;
    if dimensions == 0 || dimensions as usize > DIMENSIONS_MAX {
        return Err(of(name, EntryError::Dimensions(dimensions)));
    }
    let mut shape = Vec::with_capacity(DIMENSIONS_MAX);
    let mut values = 1usize;
    for index in 0..dimensions as usize {
        let size = usize::try_from(cursor.u64("a tensor's dimension")?)
            .map_err(|_| of(name, EntryError::Overflow))?;
        if size == 0 {
            return Err(of(name, EntryError::Zero(index)));
        }
        values = values.checked_mul(size).ok_or_else(|| of(name, EntryError::Overflow))?;
        shape.push(size);
    }
    let number = cursor.u32("a tensor's type")?;
    let offset = cursor.u64("a tensor's offset")?;
    let encoding = Encoding::from_gguf(number).ok_or_else(|| of(name, EntryError::Type(number)))?;
    if !shape[0].is_multiple_of(encoding.block_values()) {
        return Err(of(name, EntryError::Block { row: shape[0], block: encoding.block_values() }));
    }
    let bytes = encoding.bytes_for(values).ok_or_else(|| of(name, EntryError::Overflow))?;
    shape.reverse();
    Ok(Raw { name, encoding, shape, bytes, offset })
}

fn locate(entry: Raw<'_>, data_start: usize, available: usize) -> Result<TensorEntry, GgufError> {
    let end = entry.offset.checked_add(entry.bytes as u64);
    if end.is_none_or(|end| end > available as u64) {
        let (offset, bytes) = (entry.offset, entry.bytes as u64);
        return Err(of(entry.name, EntryError::Outside { offset, bytes, available }));
    }
    let start = data_start + entry.offset as usize;
    Ok(TensorEntry {
        name: entry.name.into(),
        encoding: entry.encoding,
        shape: entry.shape,
        range: start..start + entry.bytes,
    })
}

fn expect_disjoint(entries: &[TensorEntry]) -> Result<(), GgufError> {
    let mut order: Vec<&TensorEntry> = entries.iter().collect();
    order.sort_by_key(|entry| entry.range.start);
    match order.windows(2).find(|pair| pair[1].range.start < pair[0].range.end) {
        None => Ok(()),
        Some(pair) => Err(of(&pair[1].name, EntryError::Overlap(pair[0].name.clone()))),
    }
}

fn of(name: &str, cause: EntryError) -> GgufError {
    GgufError::Tensor { name: name.into(), cause }
}

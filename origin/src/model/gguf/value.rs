//! Metadata values.

use super::cursor::Cursor;
use super::error::GgufError;
use super::{ARRAY_LENGTH_MAX, TEXT_BYTES_MAX};

/// A metadata value; integers and floats of every width are widened.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `UINT8`, `UINT16`, `UINT32`, `UINT64`.
    Unsigned(u64),
    /// `INT8`, `INT16`, `INT32`, `INT64`.
    Signed(i64),
    /// `FLOAT32`, `FLOAT64`.
    Float(f64),
    /// `BOOL`.
    Bool(bool),
    /// `STRING`.
    Text(String),
    /// `ARRAY`.
    Array(Array),
}

/// An array of values of one type.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// Unsigned integers.
    Unsigned(Vec<u64>),
    /// Signed integers.
    Signed(Vec<i64>),
    /// Floats.
    Float(Vec<f64>),
    /// Booleans.
    Bool(Vec<bool>),
    /// Texts.
    Text(Vec<String>),
}

const UINT8: u32 = 0;
const INT8: u32 = 1;
const UINT16: u32 = 2;
const INT16: u32 = 3;
pub(super) const UINT32: u32 = 4;
pub(super) const INT32: u32 = 5;
pub(super) const FLOAT32: u32 = 6;
pub(super) const BOOL: u32 = 7;
pub(super) const STRING: u32 = 8;
pub(super) const ARRAY: u32 = 9;
const UINT64: u32 = 10;
const INT64: u32 = 11;
const FLOAT64: u32 = 12;

impl Value {
    /// Reads a type and a value of it.
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, GgufError> {
        let kind = cursor.u32("a value's type")?;
        Ok(match kind {
            UINT8 | UINT16 | UINT32 | UINT64 => Self::Unsigned(unsigned(cursor, kind)?),
            INT8 | INT16 | INT32 | INT64 => Self::Signed(signed(cursor, kind)?),
            FLOAT32 | FLOAT64 => Self::Float(float(cursor, kind)?),
            BOOL => Self::Bool(boolean(cursor)?),
            STRING => Self::Text(text(cursor)?),
            ARRAY => Self::Array(Array::parse(cursor)?),
            other => return Err(GgufError::ValueType(other)),
        })
    }

    /// The type, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unsigned(_) => "an unsigned integer",
            Self::Signed(_) => "a signed integer",
            Self::Float(_) => "a float",
            Self::Bool(_) => "a boolean",
            Self::Text(_) => "a text",
            Self::Array(_) => "an array",
        }
    }
}

impl Array {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, GgufError> {
        let kind = cursor.u32("an array's type")?;
        let bytes_each = match kind {
            UINT8 | INT8 | BOOL => 1,
            UINT16 | INT16 => 2,
            UINT32 | INT32 | FLOAT32 => 4,
            // A text takes at least its length.
            UINT64 | INT64 | FLOAT64 | STRING => 8,
            ARRAY => return Err(GgufError::NestedArray),
            other => return Err(GgufError::ValueType(other)),
        };
        let length = cursor.count("an array's length", ARRAY_LENGTH_MAX, bytes_each)?;
        Ok(match kind {
            UINT8 | UINT16 | UINT32 | UINT64 => Self::Unsigned(collect(length, || unsigned(cursor, kind))?),
            INT8 | INT16 | INT32 | INT64 => Self::Signed(collect(length, || signed(cursor, kind))?),
            FLOAT32 | FLOAT64 => Self::Float(collect(length, || float(cursor, kind))?),
            BOOL => Self::Bool(collect(length, || boolean(cursor))?),
            _ => Self::Text(collect(length, || text(cursor))?),
        })
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::Unsigned(v) => v.len(),
            Self::Signed(v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn collect<T>(length: usize, mut read: impl FnMut() -> Result<T, GgufError>) -> Result<Vec<T>, GgufError> {
    (0..length).map(|_| read()).collect()
}

fn unsigned(cursor: &mut Cursor<'_>, kind: u32) -> Result<u64, GgufError> {
    let what = "an unsigned integer";
    Ok(match kind {
        UINT8 => cursor.u8(what)?.into(),
        UINT16 => cursor.u16(what)?.into(),
        UINT32 => cursor.u32(what)?.into(),
        _ => cursor.u64(what)?,
    })
}

fn signed(cursor: &mut Cursor<'_>, kind: u32) -> Result<i64, GgufError> {
    let what = "a signed integer";
    Ok(match kind {
        INT8 => cursor.u8(what)?.cast_signed().into(),
        INT16 => cursor.u16(what)?.cast_signed().into(),
        INT32 => cursor.u32(what)?.cast_signed().into(),
        _ => cursor.u64(what)?.cast_signed(),
    })
}

fn float(cursor: &mut Cursor<'_>, kind: u32) -> Result<f64, GgufError> {
    let what = "a float";
    Ok(match kind {
        FLOAT32 => f32::from_bits(cursor.u32(what)?).into(),
        _ => f64::from_bits(cursor.u64(what)?),
    })
}

fn boolean(cursor: &mut Cursor<'_>) -> Result<bool, GgufError> {
    match cursor.u8("a boolean")? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(GgufError::Boolean(other)),
    }
}

fn text(cursor: &mut Cursor<'_>) -> Result<String, GgufError> {
    cursor.text("a text", TEXT_BYTES_MAX).map(str::to_owned)
}

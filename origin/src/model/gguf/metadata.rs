//! A file's key-value pairs, with typed access.

use std::collections::HashMap;

use super::cursor::Cursor;
use super::error::GgufError;
use super::missing;
use super::value::{Array, Value};
use crate::model::config::ConfigError;

/// Bytes that a pair takes at least: the key's length, the type and one byte of value.
pub(super) const PAIR_BYTES_MIN: usize = 8 + 4 + 1;

/// The metadata of a GGUF file.
///
/// The getters return nothing for an absent key, and an error for a value of another type.
#[derive(Debug, Default)]
pub struct Metadata {
    pairs: HashMap<String, Value>,
}

impl Metadata {
    pub(super) fn parse(cursor: &mut Cursor<'_>, count: usize) -> Result<Self, GgufError> {
        let mut pairs = HashMap::with_capacity(count);
        for _ in 0..count {
            let key = cursor.key()?;
            let value = Value::parse(cursor).map_err(|error| error.in_key(key))?;
            if pairs.insert(key.to_owned(), value).is_some() {
                return Err(GgufError::DuplicateKey(key.into()));
            }
        }
        Ok(Self { pairs })
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.pairs.get(key)
    }

    /// A text.
    pub fn text(&self, key: &str) -> Result<Option<&str>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(key, other, "a text")),
        }
    }

    /// A non-negative integer.
    pub fn integer(&self, key: &str) -> Result<Option<usize>, ConfigError> {
        let value = match self.get(key) {
            None => return Ok(None),
            Some(Value::Unsigned(value)) => i128::from(*value),
            Some(Value::Signed(value)) => i128::from(*value),
            Some(other) => return Err(wrong_type(key, other, "an integer")),
        };
        let within = u32::try_from(value).map(|value| Some(value as usize));
        within.map_err(|_| ConfigError::new(key, value, "0 to 4294967295 is allowed"))
    }

    /// A non-negative integer that must be there.
    pub fn required_integer(&self, key: &str) -> Result<usize, ConfigError> {
        self.integer(key)?.ok_or_else(|| missing(key))
    }

    /// A number.
    pub fn float(&self, key: &str) -> Result<Option<f32>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Float(value)) => Ok(Some(*value as f32)),
            Some(other) => Err(wrong_type(key, other, "a float")),
        }
    }

    /// A boolean.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(wrong_type(key, other, "a boolean")),
        }
    }

    /// An array of texts.
    pub fn texts(&self, key: &str) -> Result<Option<&[String]>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(Array::Text(texts))) => Ok(Some(texts)),
            Some(other) => Err(wrong_type(key, other, "an array of texts")),
        }
    }

    /// An array of floats.
    pub fn floats(&self, key: &str) -> Result<Option<&[f64]>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(Array::Float(values))) => Ok(Some(values)),
            Some(other) => Err(wrong_type(key, other, "an array of floats")),
        }
    }

    /// An array of integers.
    pub fn integers(&self, key: &str) -> Result<Option<Vec<i64>>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(Array::Signed(values))) => Ok(Some(values.clone())),
            Some(Value::Array(Array::Unsigned(values))) => {
                Ok(Some(values.iter().map(|value| i64::try_from(*value).unwrap_or(i64::MAX)).collect()))
            }
            Some(other) => Err(wrong_type(key, other, "an array of integers")),
        }
    }
}

fn wrong_type(key: &str, found: &Value, expected: &str) -> ConfigError {
    ConfigError::new(key, found.kind(), format!("{expected} is needed"))
}

//! The values of an answer, one after the other.

use crate::world::{StoreError, Value};

/// What is left of an answer.
pub(super) struct Values(pub(super) std::vec::IntoIter<Value>);

impl Values {
    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        match self.0.next() {
            Some(Value::Number(number)) => u64::try_from(number).map_err(|_| unexpected()),
            _ => Err(unexpected()),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.0.next() {
            Some(Value::Bytes(bytes)) => Ok(Some(bytes)),
            Some(Value::Nil) => Ok(None),
            _ => Err(unexpected()),
        }
    }

    pub(super) fn texts(self) -> impl Iterator<Item = String> {
        self.0.filter_map(|value| match value {
            Value::Bytes(bytes) => String::from_utf8(bytes).ok(),
            _ => None,
        })
    }

    /// The texts two by two, as a hash is answered.
    pub(super) fn pairs(self) -> impl Iterator<Item = (String, String)> {
        let mut texts = self.texts();
        std::iter::from_fn(move || texts.next().zip(texts.next()))
    }
}

pub(super) fn unexpected() -> StoreError {
    StoreError::Failed("it answered what was not asked".to_owned())
}

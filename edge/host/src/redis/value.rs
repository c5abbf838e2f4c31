//! A server's answer as Spin hands it to a component: one flat list.

use ::redis::Value;

use crate::bindings::spin::redis::redis::{Error as WitError, RedisResult};

/// The values of an answer, nested arrays laid out one after the other.
pub(super) fn flatten(value: Value, bytes_max: usize) -> Result<Vec<RedisResult>, WitError> {
    let mut flat = Flat { values: Vec::new(), bytes: 0, bytes_max };
    flat.add(value)?;
    Ok(flat.values)
}

struct Flat {
    values: Vec<RedisResult>,
    bytes: usize,
    bytes_max: usize,
}

impl Flat {
    fn add(&mut self, value: Value) -> Result<(), WitError> {
        match value {
            Value::Nil => self.push(RedisResult::Nil),
            Value::Int(number) => self.push(RedisResult::Int64(number)),
            Value::Boolean(is_true) => self.push(RedisResult::Int64(i64::from(is_true))),
            Value::BulkString(bytes) => self.push(RedisResult::Binary(bytes)),
            Value::SimpleString(text) => self.push(RedisResult::Status(text)),
            Value::Okay => self.push(RedisResult::Status("OK".to_owned())),
            Value::Double(number) => self.push(RedisResult::Binary(number.to_string().into_bytes())),
            Value::Array(values) | Value::Set(values) => {
                values.into_iter().try_for_each(|value| self.add(value))
            }
            Value::ServerError(error) => Err(WitError::Other(format!("{error:?}"))),
            // What only the protocol's third version knows; no connection here speaks it.
            _ => Err(WitError::TypeError),
        }
    }

    fn push(&mut self, value: RedisResult) -> Result<(), WitError> {
        self.bytes += size_of::<RedisResult>();
        self.bytes += match &value {
            RedisResult::Binary(bytes) => bytes.len(),
            RedisResult::Status(text) => text.len(),
            RedisResult::Nil | RedisResult::Int64(_) => 0,
        };
        if self.bytes > self.bytes_max {
            return Err(WitError::Other(format!("the answer has more than {} bytes", self.bytes_max)));
        }
        self.values.push(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: Value) -> String {
        format!("{:?}", flatten(value, 1000).expect("an answer within the limit"))
    }

    #[test]
    fn each_kind_of_value_has_its_counterpart_and_arrays_are_laid_flat() {
        let nested = Value::Array(vec![
            Value::Int(1),
            Value::Array(vec![Value::Nil, Value::BulkString(vec![7])]),
            Value::Okay,
            Value::SimpleString("QUEUED".to_owned()),
            Value::Set(vec![Value::Boolean(true), Value::Double(1.5)]),
            Value::Array(Vec::new()),
        ]);
        let flat = [
            RedisResult::Int64(1),
            RedisResult::Nil,
            RedisResult::Binary(vec![7]),
            RedisResult::Status("OK".to_owned()),
            RedisResult::Status("QUEUED".to_owned()),
            RedisResult::Int64(1),
            RedisResult::Binary(b"1.5".to_vec()),
        ];
        assert_eq!(shown(nested), format!("{flat:?}"));
        assert_eq!(shown(Value::Nil), format!("{:?}", [RedisResult::Nil]));
    }

    #[test]
    fn a_map_is_not_offered() {
        assert!(matches!(flatten(Value::Map(Vec::new()), 1000), Err(WitError::TypeError)));
    }

    #[test]
    fn an_answer_is_bounded() {
        let bytes_max = size_of::<RedisResult>() + 5;
        assert!(flatten(Value::BulkString(vec![0; 5]), bytes_max).is_ok());
        assert!(flatten(Value::BulkString(vec![0; 6]), bytes_max).is_err());
    }
}

//! Strict, bounded reading of JSON from outside.
//!
//! Duplicate keys, trailing bytes, nesting beyond [`limits::JSON_DEPTH_MAX`], more than [`limits::JSON_VALUES_MAX`]
//! values and invalid UTF-8 are refused with their position, which `serde_json::Value` would let pass.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::limits;
use crate::problem::{Code, Problem};
use crate::text;

/// A JSON value whose objects have distinct keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number of at least zero, written without point or exponent.
    Unsigned(u64),
    /// Any other number.
    Number(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// An object.
    Object(BTreeMap<String, Node>),
}

impl Node {
    /// Reads one JSON value and nothing after it.
    ///
    /// # Errors
    /// `too_large` where there are more than `bytes_max` bytes; `malformed_json`, with the position, for anything
    /// that is not one JSON value within the limits.
    pub fn parse(bytes: &[u8], bytes_max: usize) -> Result<Self, Problem> {
        if bytes.len() > bytes_max {
            let detail = format!("the body has {} bytes, at most {bytes_max} are taken", bytes.len());
            return Err(Problem::new(Code::TooLarge, detail));
        }
        let malformed = |detail: String| Problem::new(Code::MalformedJson, detail);
        let source = std::str::from_utf8(bytes)
            .map_err(|error| malformed(format!("the body is not UTF-8 from byte {}", error.valid_up_to())))?;
        let mut reader = serde_json::Deserializer::from_str(source);
        let node = Seed { depth: 0, values: &Cell::new(0) }
            .deserialize(&mut reader)
            .and_then(|node| reader.end().map(|()| node))
            .map_err(|error| malformed(format!("the body is not JSON as expected: {error}")))?;
        Ok(node)
    }

    /// The kind of the value, for error messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Unsigned(_) | Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// Reads a value at some depth of nesting, counting it among all values of the document.
#[derive(Clone, Copy)]
struct Seed<'a> {
    depth: usize,
    values: &'a Cell<usize>,
}

impl Seed<'_> {
    /// What an array or object reads its members with.
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == limits::JSON_DEPTH_MAX {
            return Err(E::custom(format_args!("nested deeper than {} levels", limits::JSON_DEPTH_MAX)));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > limits::JSON_VALUES_MAX {
            return Err(D::Error::custom(format_args!("more than {} values", limits::JSON_VALUES_MAX)));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(u64::try_from(value).map_or(Node::Number(value as f64), Node::Unsigned))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let seed = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(seed)? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let seed = self.deeper()?;
        let mut object = BTreeMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key \"{}\" stands twice", text::echo(&key))));
            }
            let value = entries.next_value_seed(seed)?;
            object.insert(key, value);
        }
        Ok(Node::Object(object))
    }
}

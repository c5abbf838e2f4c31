//! Texts by field, in order.

use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::channel::Field;
use crate::limits;

/// The texts of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    /// Whether it travels as a string; then there is exactly one text.
    single: bool,
    texts: Vec<String>,
}

/// Texts by field, in the order in which they were set.
///
/// A field of at most one text travels as a string, any other as an array.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    entries: Vec<Entry>,
}

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the texts of a channel's field, replacing what it held. No texts remove the field.
    pub fn set(&mut self, field: &Field, texts: Vec<String>) {
        let single = field.is_single() && texts.len() == 1;
        self.insert(field.name, single, texts);
    }

    /// Adds one text to a channel's field.
    pub fn push(&mut self, field: &Field, text: String) {
        let mut texts: Vec<String> = self.get(field.name).to_vec();
        texts.push(text);
        self.set(field, texts);
    }

    /// Sets the texts of a field by name. A single field holds exactly one text.
    pub(crate) fn insert(&mut self, name: &str, single: bool, texts: Vec<String>) {
        debug_assert!(!single || texts.len() == 1, "a field that travels as a string has one text");
        let found = self.entries.iter().position(|entry| entry.name == name);
        match found {
            Some(at) if texts.is_empty() => _ = self.entries.remove(at),
            None if texts.is_empty() => {}
            Some(at) => self.entries[at] = Entry { name: name.to_owned(), single, texts },
            None => self.entries.push(Entry { name: name.to_owned(), single, texts }),
        }
    }

    /// The texts of a field, none where it is absent.
    pub fn get(&self, name: &str) -> &[String] {
        self.entries.iter().find(|entry| entry.name == name).map_or(&[], |entry| &entry.texts)
    }

    /// Every field with its texts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.entries.iter().map(|entry| (entry.name.as_str(), entry.texts.as_slice()))
    }

    /// Every text with the path that names it in checks: `post`, or `headline[0]`.
    pub fn texts(&self) -> impl Iterator<Item = (String, &str)> {
        self.entries.iter().flat_map(|entry| {
            entry.texts.iter().enumerate().map(|(index, text)| {
                let path = if entry.single { entry.name.clone() } else { format!("{}[{index}]", entry.name) };
                (path, text.as_str())
            })
        })
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        for Entry { name, single, texts } in &self.entries {
            match (single, texts.as_slice()) {
                (true, [text]) => map.serialize_entry(name, text)?,
                _ => map.serialize_entry(name, texts)?,
            }
        }
        map.end()
    }
}

/// One text or several, as they travel.
struct Texts {
    single: bool,
    texts: Vec<String>,
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextsVisitor;
        impl<'de> Visitor<'de> for TextsVisitor {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or an array of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts { single: true, texts: vec![text.to_owned()] })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    if texts.len() == limits::CHECK_TEXTS_MAX {
                        return Err(A::Error::custom("more texts than any field has"));
                    }
                    texts.push(text);
                }
                Ok(Texts { single: false, texts })
            }
        }
        deserializer.deserialize_any(TextsVisitor)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts by field")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::new();
                while let Some((name, Texts { single, texts })) = entries.next_entry::<String, Texts>()? {
                    if fields.entries.len() == limits::CHECK_FIELDS_MAX {
                        return Err(A::Error::custom("more fields than any channel has"));
                    }
                    fields.insert(&name, single, texts);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

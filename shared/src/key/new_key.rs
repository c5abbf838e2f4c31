//! The key that an operator wants.

use super::{KeyLimits, Scope, is_name};
use crate::api_key::Kind;
use crate::brief::{Faults, Reader};
use crate::json::Node;
use crate::limits::{KEY_BODY_BYTES_MAX, KEY_NAME_BYTES_MAX, KEY_RATE_PER_MINUTE_MAX, KEY_STREAMS_MAX};
use crate::problem::Problem;

/// The body of `POST /admin/keys`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewKey {
    /// Whose key it is.
    pub tenant: String,
    /// What people call it.
    pub name: String,
    /// What it may be used for: at least one thing, each once.
    pub scopes: Vec<Scope>,
    /// Whether it is for tests or for real traffic.
    pub kind: Kind,
    /// From when on it is not taken any more, in seconds since 1970.
    pub expires: Option<u64>,
    /// How much it may be used.
    pub limits: KeyLimits,
}

impl NewKey {
    /// Reads the body at this time, in seconds since 1970: a key that has expired is not made.
    ///
    /// # Errors
    /// `too_large`, `malformed_json`, or `invalid_field` with every field that is wrong.
    pub fn parse(body: &[u8], now_s: u64) -> Result<Self, Problem> {
        let node = Node::parse(body, KEY_BODY_BYTES_MAX)?;
        let mut faults = Faults::default();
        let mut reader = Reader::root(node, &mut faults);
        let tenant = name(&mut reader, "tenant");
        let name = name(&mut reader, "name");
        let scopes = scopes(&mut reader);
        let kind = kind(&mut reader);
        let expires =
            number(&mut reader, "expires", now_s + 1, u64::MAX, "a later time in seconds since 1970");
        let mut limits = KeyLimits::default();
        if let Some(mut reader) = reader.object("limits") {
            let mut count = |name, most| {
                let count = number(&mut reader, name, 0, u64::from(most), &format!("a count up to {most}"));
                count.map(|count| count as u32)
            };
            limits = KeyLimits {
                rate_per_minute: count("rate_per_minute", KEY_RATE_PER_MINUTE_MAX),
                tokens_per_minute: count("tokens_per_minute", KEY_RATE_PER_MINUTE_MAX),
                streams_max: count("streams_max", KEY_STREAMS_MAX),
            };
            reader.finish();
        }
        reader.finish();
        faults.into_result()?;
        Ok(Self { tenant, name, scopes, kind, expires, limits })
    }
}

/// A name; empty where the fault is noted.
fn name(reader: &mut Reader<'_>, member: &str) -> String {
    match reader.take(member) {
        Some(Node::Text(text)) if is_name(&text) => return text,
        Some(other) => {
            let what = format!(
                "a name of 1 to {KEY_NAME_BYTES_MAX} of A-Z a-z 0-9 _ . - that begins with a letter or digit"
            );
            reader.expected(member, &other, &what);
        }
        None => reader.fault(member, "is required"),
    }
    String::new()
}

fn scopes(reader: &mut Reader<'_>) -> Vec<Scope> {
    let words = match reader.take("scopes") {
        Some(Node::List(words)) if (1..=Scope::ALL.len()).contains(&words.len()) => words,
        Some(other) => {
            reader.expected("scopes", &other, &format!("a list of 1 to {} scopes", Scope::ALL.len()));
            return Vec::new();
        }
        None => {
            reader.fault("scopes", "is required");
            return Vec::new();
        }
    };
    let find = |(index, word)| reader.word(&format!("scopes[{index}]"), word, Scope::from_word);
    let mut scopes: Vec<Scope> = words.into_iter().enumerate().filter_map(find).collect();
    let known = scopes.len();
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.len() < known {
        reader.fault("scopes", "names a scope twice");
    }
    scopes
}

fn kind(reader: &mut Reader<'_>) -> Kind {
    let given = reader.take("kind");
    if given.is_none() {
        reader.fault("kind", "is required");
    }
    given.and_then(|word| reader.word("kind", word, Kind::from_word)).unwrap_or(Kind::Test)
}

/// A whole number within bounds, if it is there.
pub(super) fn number(
    reader: &mut Reader<'_>,
    member: &str,
    least: u64,
    most: u64,
    what: &str,
) -> Option<u64> {
    match reader.take(member)? {
        Node::Unsigned(number) if (least..=most).contains(&number) => Some(number),
        Node::Unsigned(number) => {
            reader.fault(member, format!("is {number}, {what} is expected"));
            None
        }
        other => {
            reader.expected(member, &other, what);
            None
        }
    }
}

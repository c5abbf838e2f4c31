//! What an operator purges from the cache: everything that bears one tag.

use crate::brief::{Faults, Reader};
use crate::json::Node;
use crate::limits;
use crate::named::named_enum;
use crate::problem::{Code, Problem};

/// What entries of the cache have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tag {
    /// All of them.
    All,
    /// Those of one tenant.
    Tenant(String),
    /// Those of one model, by its fingerprint.
    Model(String),
    /// Those of one channel, by its id.
    Channel(&'static str),
    /// Those of one revision of the template.
    Template(u64),
}

named_enum! {
    /// How entries are purged.
    Mode {
        Hard = "hard", "They are gone";
        Soft = "soft", "They are stale, and may be given while others are written or the origin fails";
    }
}

/// The body of `POST /admin/cache/purge`: one of `all` (`true`), `tenant`, `model`, `channel` and `template`, and
/// `mode`, `hard` where it is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purge {
    /// What is purged.
    pub tag: Tag,
    /// How.
    pub mode: Mode,
}

impl Tag {
    /// The tag's name, such as `tenant/acme`. It is written for every request, so it is put together by hand.
    pub fn name(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Tenant(name) => ["tenant/", name].concat(),
            Self::Model(fingerprint) => ["model/", fingerprint].concat(),
            Self::Channel(id) => ["channel/", id].concat(),
            Self::Template(revision) => format!("template/{revision}"),
        }
    }
}

impl Purge {
    /// Reads the body.
    ///
    /// # Errors
    /// `too_large`, `malformed_json`, `unknown_channel`, or `invalid_field` with every field that is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        let node = Node::parse(body, limits::PURGE_BODY_BYTES_MAX)?;
        let mut faults = Faults::default();
        let mut reader = Reader::root(node, &mut faults);
        let mode = reader.take("mode").and_then(|node| reader.word("mode", node, Mode::from_word));
        let mut tags: Vec<Tag> = Vec::new();
        tags.extend(all(&mut reader));
        tags.extend(name(&mut reader, "tenant").map(Tag::Tenant));
        tags.extend(name(&mut reader, "model").map(Tag::Model));
        if reader.holds("channel") {
            tags.extend(reader.channel("channel").map(|channel| Tag::Channel(channel.id)));
        }
        tags.extend(template(&mut reader).map(Tag::Template));
        reader.finish();
        faults.into_result()?;
        let mut tags = tags.into_iter();
        match (tags.next(), tags.next()) {
            (Some(tag), None) => Ok(Self { tag, mode: mode.unwrap_or(Mode::Hard) }),
            _ => Err(Problem::new(
                Code::InvalidField,
                "exactly one of all, tenant, model, channel and template has to be there",
            )),
        }
    }
}

fn all(reader: &mut Reader<'_>) -> Option<Tag> {
    match reader.take("all")? {
        Node::Bool(true) => Some(Tag::All),
        other => {
            reader.expected("all", &other, "true");
            None
        }
    }
}

/// A name as tenants and fingerprints have it: it becomes part of a key in the store.
fn name(reader: &mut Reader<'_>, member: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b':');
    match reader.take(member)? {
        Node::Text(name)
            if (1..=limits::PURGE_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain) =>
        {
            Some(name)
        }
        other => {
            let most = limits::PURGE_NAME_BYTES_MAX;
            reader.expected(member, &other, &format!("a name of 1 to {most} of A-Z a-z 0-9 _ . - :"));
            None
        }
    }
}

fn template(reader: &mut Reader<'_>) -> Option<u64> {
    match reader.take("template")? {
        Node::Unsigned(revision) => Some(revision),
        other => {
            reader.expected("template", &other, "a revision's number");
            None
        }
    }
}

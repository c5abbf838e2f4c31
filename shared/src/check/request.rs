//! The body of `POST /v1/check`.

use super::{Check, Checker, Terms};
use crate::brief::{Faults, Reader};
use crate::channel::Channel;
use crate::copy::Fields;
use crate::json::Node;
use crate::limits;
use crate::problem::{Code, Problem};
use crate::text::{self, TextRule};

/// Texts to verify without a model: `{channel, fields, must_include?, must_exclude?}`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// Where the texts appear.
    pub channel: &'static Channel,
    /// The texts, as they were sent: what is wrong with them is for the checks to say.
    pub fields: Fields,
    /// Terms that the texts must hold.
    pub must_include: Vec<String>,
    /// Terms that the texts must not hold.
    pub must_exclude: Vec<String>,
}

impl Request {
    /// Reads the body.
    ///
    /// # Errors
    /// `too_large`, `malformed_json`, `unknown_channel`, or `invalid_field` with every field that is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        let node = Node::parse(body, limits::CHECK_BODY_BYTES_MAX)?;
        let mut faults = Faults::default();
        let mut reader = Reader::root(node, &mut faults);
        let channel = reader.channel("channel");
        let term = TextRule::line(limits::TERM_MAX);
        let must_include = reader.texts("must_include", limits::MUST_INCLUDE_MAX, term);
        let must_exclude = reader.texts("must_exclude", limits::MUST_EXCLUDE_MAX, term);
        let mut fields = Fields::new();
        if let Some(mut members) = reader.required_object("fields") {
            for (name, node) in members.take_rest() {
                read_field(&mut members, &mut fields, channel, &name, node);
            }
        }
        reader.finish();
        faults.into_result()?;
        let channel =
            channel.ok_or_else(|| Problem::new(Code::UnknownChannel, "the channel is not known"))?;
        Ok(Self { channel, fields, must_include, must_exclude })
    }

    /// Verifies the texts.
    pub fn check(&self) -> Vec<Check> {
        let terms =
            Terms { must_include: &self.must_include, must_exclude: &self.must_exclude, source: None };
        Checker::new(self.channel, terms).check(&self.fields)
    }
}

fn read_field(
    reader: &mut Reader<'_>,
    fields: &mut Fields,
    channel: Option<&'static Channel>,
    name: &str,
    node: Node,
) {
    let shown = text::echo(name);
    if channel.is_some_and(|channel| channel.field(name).is_none()) {
        return reader.fault(&shown, "is not a field of the channel");
    }
    let (single, nodes) = match node {
        Node::List(nodes) if nodes.len() > limits::CHECK_TEXTS_MAX => {
            let detail = format!("has {} texts, at most {} are taken", nodes.len(), limits::CHECK_TEXTS_MAX);
            return reader.fault(&shown, detail);
        }
        Node::List(nodes) => (false, nodes),
        one => (true, vec![one]),
    };
    let mut texts = Vec::new();
    for (index, node) in nodes.into_iter().enumerate() {
        let path = if single { shown.clone() } else { format!("{shown}[{index}]") };
        match node {
            Node::Text(text) if text.len() <= limits::CHECK_TEXT_BYTES_MAX => texts.push(text),
            Node::Text(text) => {
                let most = limits::CHECK_TEXT_BYTES_MAX;
                reader.fault(&path, format!("has {} bytes, at most {most} are taken", text.len()));
            }
            other => reader.expected(&path, &other, "a text"),
        }
    }
    if texts.len() == 1 || !single {
        fields.insert(name, single, texts);
    }
}

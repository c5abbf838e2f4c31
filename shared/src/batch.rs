//! Several briefs in one request, each answered by a line of its own as soon as it is ready.

use std::borrow::Borrow;

use serde::{Deserialize, Serialize};

use crate::brief::Brief;
use crate::copy::Copy;
use crate::json::Node;
use crate::limits::{BATCH_BODY_BYTES_MAX, BATCH_BRIEFS_MAX};
use crate::problem::{Code, Problem};

/// The media type of the answer: JSON documents, each on a line.
pub const CONTENT_TYPE: &str = "application/x-ndjson";

/// The body of `POST /v1/copy/batch`: `{briefs: [≤64]}`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Batch {
    /// The briefs, or what is wrong with them. None asks for events.
    pub briefs: Vec<Result<Brief, Problem>>,
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The place of the brief in the request, from 0.
    pub index: usize,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of a brief.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is written.
    Copy(Box<Copy>),
    /// It is not.
    Problem(Problem),
}

impl Batch {
    /// Reads the body, for a model that is declared for `languages` (`*` for all). A brief that is wrong does not keep
    /// the others from being answered.
    ///
    /// # Errors
    /// `too_large`, `malformed_json`, or `invalid_field` where there is no list of 1 to [`BATCH_BRIEFS_MAX`] briefs.
    pub fn parse(body: &[u8], languages: &[impl Borrow<str>]) -> Result<Self, Problem> {
        let invalid = |detail: String| {
            Problem::new(Code::InvalidField, format!("briefs {detail}")).with_field("briefs", detail)
        };
        let Node::Object(mut members) = Node::parse(body, BATCH_BODY_BYTES_MAX)? else {
            return Err(invalid("is required".to_owned()));
        };
        let Some(Node::List(nodes)) = members.remove("briefs") else {
            return Err(invalid("has to be an array".to_owned()));
        };
        if let Some(name) = members.keys().next() {
            let name = crate::text::echo(name);
            return Err(Problem::new(Code::InvalidField, format!("{name} is not a known field"))
                .with_field(name, "is not a known field"));
        }
        if nodes.is_empty() || nodes.len() > BATCH_BRIEFS_MAX {
            return Err(invalid(format!("has {} items, 1 to {BATCH_BRIEFS_MAX} are taken", nodes.len())));
        }
        let read = |node| Brief::from_node(node, languages).map(|brief| Brief { stream: false, ..brief });
        Ok(Self { briefs: nodes.into_iter().map(read).collect() })
    }

    /// The canonical wire form of a batch of these briefs.
    pub fn to_json<'a>(briefs: impl Iterator<Item = &'a Brief>) -> Vec<u8> {
        #[derive(Serialize)]
        struct Document<'a> {
            briefs: Vec<&'a Brief>,
        }
        serde_json::to_vec(&Document { briefs: briefs.collect() })
            .expect("a brief holds only strings and finite numbers, which JSON can always write")
    }
}

impl Line {
    /// The line as it travels, with its end.
    pub fn encode(&self) -> Vec<u8> {
        let mut line =
            serde_json::to_vec(self).expect("a line holds only strings, numbers and maps with string keys");
        line.push(b'\n');
        line
    }
}

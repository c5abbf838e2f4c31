//! Server-sent events: a copy as it is written.

mod decoder;

use serde::{Deserialize, Serialize};

pub use self::decoder::{DecodeError, Decoder};
use crate::copy::{Copy, ModelRef, Variant};
use crate::problem::Problem;

/// The media type of the stream.
pub const CONTENT_TYPE: &str = "text/event-stream";

/// The comment that keeps an idle stream alive, every [`EVENT_KEEP_ALIVE_S`](crate::limits::EVENT_KEEP_ALIVE_S).
pub const KEEP_ALIVE: &str = ": keep-alive\n\n";

/// One event of the stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Writing begins.
    Start(Start),
    /// A piece of text was written.
    Delta(Delta),
    /// A variant is finished.
    Variant(Variant),
    /// Everything is finished; the stream ends.
    Done(Copy),
    /// It failed after the start; the stream ends.
    Error(Problem),
}

/// The data of the event `start`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The id that the copy will have.
    pub id: String,
    /// The model that writes it.
    pub model: ModelRef,
    /// The seed that is used.
    pub seed: u64,
}

/// The data of the event `delta`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The id of the variant.
    pub variant: String,
    /// The name of the field.
    pub field: String,
    /// Which of the field's texts, from 0.
    #[serde(default)]
    pub index: usize,
    /// What is added to it.
    pub text: String,
}

impl Event {
    /// The event's name on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Delta(_) => "delta",
            Self::Variant(_) => "variant",
            Self::Done(_) => "done",
            Self::Error(_) => "error",
        }
    }

    /// Whether the stream ends with this event.
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Error(_))
    }

    /// The event as it travels: its name, one line of data, an empty line.
    pub fn encode(&self) -> String {
        let data = match self {
            Self::Start(start) => serde_json::to_string(start),
            Self::Delta(delta) => serde_json::to_string(delta),
            Self::Variant(variant) => serde_json::to_string(variant),
            Self::Done(copy) => serde_json::to_string(copy),
            Self::Error(problem) => serde_json::to_string(problem),
        };
        let data = data.expect("events hold only strings, numbers and maps with string keys");
        format!("event: {}\ndata: {data}\n\n", self.name())
    }

    /// The event of a name and its data; `None` for a name that is not known.
    fn read(name: &str, data: &str) -> Option<Result<Self, serde_json::Error>> {
        Some(match name {
            "start" => serde_json::from_str(data).map(Self::Start),
            "delta" => serde_json::from_str(data).map(Self::Delta),
            "variant" => serde_json::from_str(data).map(Self::Variant),
            "done" => serde_json::from_str(data).map(Self::Done),
            "error" => serde_json::from_str(data).map(Self::Error),
            _ => return None,
        })
    }
}

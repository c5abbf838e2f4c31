//! Reads events from bytes as they arrive.

use super::Event;
use crate::limits::EVENT_BYTES_MAX;

/// Why a stream cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// An event is longer than [`EVENT_BYTES_MAX`].
    #[error("an event has more than {EVENT_BYTES_MAX} bytes")]
    TooLong,
    /// An event is not UTF-8.
    #[error("an event is not UTF-8")]
    NotUtf8,
    /// The data of an event is not what its name says.
    #[error("the data of the event {name} cannot be read: line {line}, column {column}")]
    Data {
        /// The event's name.
        name: String,
        /// The line at which it goes wrong. What stands there is not told, because it may be a client's.
        line: usize,
        /// The column.
        column: usize,
    },
    /// The stream failed before and is not read on.
    #[error("the stream has failed before")]
    Failed,
}

/// An incremental reader of server-sent events (the WHATWG HTML standard, section 9.2).
///
/// It takes bytes cut anywhere, lines that end in LF, CR or CRLF, comments, and events whose names are not known,
/// which are passed over. It holds at most one event of [`EVENT_BYTES_MAX`] bytes.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The line that is being read, without its end.
    line: Vec<u8>,
    /// The name of the event that is being read.
    name: String,
    /// Its data, each line with a line feed.
    data: String,
    /// Whether the last byte was a CR, so that an LF belongs to the same line end.
    after_cr: bool,
    /// Whether any line has been read; the first may begin with a byte order mark.
    begun: bool,
    failed: bool,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and gives the events that they complete.
    ///
    /// # Errors
    /// Whatever of [`DecodeError`] the stream is; events before it in the same bytes are lost, and every later
    /// call fails.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, DecodeError> {
        if self.failed {
            return Err(DecodeError::Failed);
        }
        let events = self.read(bytes);
        self.failed = events.is_err();
        events
    }

    /// Whether the stream may end here: between two events.
    pub fn is_between_events(&self) -> bool {
        !self.failed && self.line.is_empty() && self.name.is_empty() && self.data.is_empty()
    }

    fn read(&mut self, bytes: &[u8]) -> Result<Vec<Event>, DecodeError> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &rest[..end.unwrap_or(rest.len())];
            if self.line.len() + self.name.len() + self.data.len() + part.len() > EVENT_BYTES_MAX {
                return Err(DecodeError::TooLong);
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else { break };
            self.after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            events.extend(self.end_line()?);
        }
        Ok(events)
    }

    /// Takes in the line that has ended; an empty one completes the event.
    fn end_line(&mut self) -> Result<Option<Event>, DecodeError> {
        let bytes = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&bytes).map_err(|_| DecodeError::NotUtf8)?;
        let first = !std::mem::replace(&mut self.begun, true);
        let line = if first { line.strip_prefix('\u{FEFF}').unwrap_or(line) } else { line };
        if line.is_empty() {
            return self.end_event();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            // `id` and `retry` mean nothing to this contract, an empty field name is a comment.
            _ => {}
        }
        Ok(None)
    }

    fn end_event(&mut self) -> Result<Option<Event>, DecodeError> {
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        if data.is_empty() {
            return Ok(None);
        }
        Event::read(&name, &data).transpose().map_err(|error| DecodeError::Data {
            name,
            line: error.line(),
            column: error.column(),
        })
    }
}

//! What the operator reads: one JSON object a line on standard error. Every request has exactly one line whose `event` is
//! `request`, its [record](crate::record::Line), which is written a moment after its end together with others'; other lines
//! tell at once of what went wrong beside it. Nothing of a brief, a copy or a key is logged.

use std::cell::RefCell;
use std::io::Write;

use adlib_shared::problem::Code;
use serde::Serialize;

use crate::failure::Failure;
use crate::request_id::RequestId;

/// What is gathered at most before it is written, in bytes: some 30 requests.
const GATHERED_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    /// Lines that are not written yet.
    static GATHERED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A line about something else than a request as a whole.
#[derive(Serialize)]
struct Trouble<'a> {
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    message: &'a str,
}

/// Logs a failure that the request did not share. Only its cause is told: the rest may repeat what a client wrote.
pub fn failure(id: &RequestId, failure: &Failure) {
    let code = failure.problem.code;
    let message = failure.cause.as_deref().unwrap_or(code.title());
    write(&Trouble { level: "warn", request_id: Some(id.as_str()), code: Some(code), message });
}

/// Logs something that went wrong without failing the request.
pub fn warn(id: &RequestId, message: impl std::fmt::Display) {
    let message = message.to_string();
    write(&Trouble { level: "warn", request_id: Some(id.as_str()), code: None, message: &message });
}

/// Logs something that went wrong in no request.
pub fn trouble(message: impl std::fmt::Display) {
    let message = message.to_string();
    write(&Trouble { level: "warn", request_id: None, code: None, message: &message });
}

/// Where and how JSON is wrong, without what stands there.
pub fn place(error: &serde_json::Error) -> String {
    format!("{:?} error at line {}, column {}", error.classify(), error.line(), error.column())
}

/// Logs one line.
pub fn write(line: &impl Serialize) {
    let mut text = Vec::new();
    if serde_json::to_writer(&mut text, line).is_ok() {
        text.push(b'\n');
        put(&text);
    }
}

/// Logs one line with those that are gathered until the next [`flush`]: to hand text to the runtime takes longer than to
/// make it.
pub fn gather(line: &impl Serialize) {
    let Ok(mut text) = serde_json::to_vec(line) else { return };
    text.push(b'\n');
    let is_full = GATHERED.with_borrow_mut(|gathered| {
        gathered.append(&mut text);
        gathered.len() >= GATHERED_BYTES_MAX
    });
    if is_full {
        flush();
    }
}

/// Writes what is gathered.
pub fn flush() {
    let gathered = GATHERED.take();
    if !gathered.is_empty() {
        put(&gathered);
    }
}

/// Writes whole lines at one stroke.
fn put(lines: &[u8]) {
    #[cfg(test)]
    written::keep(lines);
    if cfg!(test) {
        // The test harness captures this, and shows it where a test fails.
        eprint!("{}", String::from_utf8_lossy(lines));
    } else {
        // Unlike eprintln!, this does not panic where nobody reads.
        let _ = std::io::stderr().write_all(lines);
    }
}

/// What was logged by this thread, which is one test's.
#[cfg(test)]
pub(crate) mod written {
    use std::cell::RefCell;

    thread_local! {
        static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn keep(lines: &[u8]) {
        let texts = String::from_utf8_lossy(lines);
        LINES.with_borrow_mut(|lines| lines.extend(texts.lines().map(str::to_owned)));
    }

    /// The lines since the last call.
    pub(crate) fn take() -> Vec<String> {
        LINES.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathered_lines_are_written_by_a_flush_or_when_they_are_many() {
        gather(&"first");
        warn(&RequestId::choose(None, || 1), "at once");
        assert!(written::take()[0].contains("at once"));
        flush();
        assert_eq!(written::take(), ["\"first\""]);
        flush();
        assert!(written::take().is_empty());
        // With its quotes and its end a line is three bytes longer than its text.
        for (length, count) in [(GATHERED_BYTES_MAX - 4, 0), (GATHERED_BYTES_MAX - 3, 1)] {
            gather(&"a".repeat(length));
            assert_eq!(written::take().len(), count, "{length}");
            flush();
            written::take();
        }
    }
}

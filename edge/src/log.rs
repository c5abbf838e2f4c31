//! What the operator reads: one JSON object a line on standard error. Every request has exactly one line whose `event` is
//! `request`, its [record](crate::record::Line); others tell of what went wrong beside it. Nothing of a brief, a copy or a key
//! is logged.

use std::io::Write;

use adlib_shared::problem::Code;
use serde::Serialize;

use crate::failure::Failure;
use crate::request_id::RequestId;

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
    let Ok(line) = serde_json::to_string(line) else { return };
    #[cfg(test)]
    written::keep(&line);
    if cfg!(test) {
        // The test harness captures this, and shows it where a test fails.
        eprintln!("{line}");
    } else {
        // Unlike eprintln!, this does not panic where nobody reads; and it writes the line at one stroke.
        let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
    }
}

/// What was logged by this thread, which is one test's.
#[cfg(test)]
pub(crate) mod written {
    use std::cell::RefCell;

    thread_local! {
        static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn keep(line: &str) {
        LINES.with_borrow_mut(|lines| lines.push(line.to_owned()));
    }

    /// The lines since the last call.
    pub(crate) fn take() -> Vec<String> {
        LINES.take()
    }
}

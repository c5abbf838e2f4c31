//! What the operator reads: one JSON object a line on standard error. Nothing of a brief, a copy or a key is logged.

use std::io::Write;

use adlib_shared::problem::Code;
use serde::Serialize;

use crate::failure::Failure;
use crate::request_id::RequestId;

/// One line of the log.
#[derive(Serialize)]
struct Line<'a> {
    level: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    message: &'a str,
}

/// Logs a failure that is not the client's: it has a cause, or a status of 500 and above.
pub fn failure(id: &RequestId, failure: &Failure) {
    let asked_for = failure.problem.status() < 500 || failure.problem.code == Code::OnlyIfCached;
    if failure.cause.is_none() && asked_for {
        return;
    }
    let message = failure.cause.as_deref().unwrap_or(&failure.problem.detail);
    write(&Line {
        level: if failure.problem.status() < 500 { "warn" } else { "error" },
        request_id: id.as_str(),
        code: Some(failure.problem.code.as_str()),
        message,
    });
}

/// Logs something that went wrong without failing the request.
pub fn warn(id: &RequestId, message: impl std::fmt::Display) {
    let message = message.to_string();
    write(&Line { level: "warn", request_id: id.as_str(), code: None, message: &message });
}

fn write(line: &Line<'_>) {
    if let Ok(line) = serde_json::to_string(line) {
        if cfg!(test) {
            // The test harness captures this, and shows it where a test fails.
            eprintln!("{line}");
        } else {
            // Unlike eprintln!, this does not panic where nobody reads.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

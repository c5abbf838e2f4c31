//! What is noted about one request while it is worked on: its line in the log, and what it adds to the counters.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use adlib_shared::problem::Code;
use serde::Serialize;

use crate::authenticate::Caller;
use crate::cache::CacheStatus;
use crate::failure::Failure;
use crate::hop::Trace;
use crate::hop::origins::Origin;
use crate::log;
use crate::request_id::RequestId;
use crate::stats::Stats;

/// What tells a request's line from others.
const REQUEST: &str = "request";

/// One request from its arrival to the last byte of its reply. When the last clone goes, the request is logged and
/// counted: once, however it ended.
#[derive(Debug, Clone)]
pub struct Record(Rc<Notes>);

#[derive(Debug)]
struct Notes {
    began: Instant,
    line: RefCell<Line>,
    stats: Rc<Stats>,
}

/// The request's line in the log, which is its span too: a trace, a parent, a beginning and a duration. It holds nothing
/// of a brief, a copy or a key.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Line {
    /// `info`; `warn` where something has a cause that only this line tells; `error` where it is not the client's.
    pub level: &'static str,
    /// `request`; `refresh` for an answer that is written anew after the reply.
    pub event: &'static str,
    /// When the request came, in milliseconds since 1970.
    pub time_ms: u64,
    /// The request's name.
    pub request_id: String,
    /// The trace that it belongs to.
    pub trace_id: String,
    /// The request's own span.
    pub span_id: String,
    /// The span that it was asked from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// The route's path; `unmatched` where there is none, so that clients cannot invent routes.
    pub route: &'static str,
    /// The reply's status; 0 where the client left before there was one.
    pub status: u16,
    /// The contract's code of what went wrong; in a stream that can be after the head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Whose request it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The name of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How the cache took part, as the reply's `Cache-Status` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheStatus>,
    /// The origin that was asked last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// How often origins were asked.
    pub attempts: u32,
    /// Whether a second origin was asked beside a slow one.
    pub hedged: bool,
    /// Whether the client took the reply to its end. A whole reply counts as taken when the runtime has it.
    pub complete: bool,
    /// How long each stage took, in milliseconds.
    pub stages_ms: BTreeMap<&'static str, f64>,
    /// From the request's arrival to its last byte, in milliseconds.
    pub duration_ms: f64,
}

impl Record {
    /// Begins the record of a request that came at this time.
    pub fn begin(id: &RequestId, trace: &Trace, now_ms: u64, began: Instant, stats: Rc<Stats>) -> Self {
        let line = Line {
            event: REQUEST,
            time_ms: now_ms,
            request_id: id.as_str().to_owned(),
            trace_id: trace.trace_id.clone(),
            span_id: trace.span_id.clone(),
            parent_id: trace.parent_id.clone(),
            route: "unmatched",
            ..Line::default()
        };
        Self(Rc::new(Notes { began, line: RefCell::new(line), stats }))
    }

    /// A record of what is done for the request after its reply: it is logged apart, and not counted.
    #[must_use]
    pub fn aside(&self) -> Self {
        let Line { request_id, trace_id, span_id, parent_id, route, tenant, key, .. } =
            self.0.line.borrow().clone();
        let line = Line {
            event: "refresh",
            time_ms: self.0.line.borrow().time_ms + self.0.began.elapsed().as_millis() as u64,
            request_id,
            trace_id,
            span_id,
            parent_id,
            route,
            tenant,
            key,
            complete: true,
            ..Line::default()
        };
        Self(Rc::new(Notes {
            began: Instant::now(),
            line: RefCell::new(line),
            stats: Rc::clone(&self.0.stats),
        }))
    }

    /// Which route was found.
    pub fn find(&self, route: &'static str) {
        self.0.line.borrow_mut().route = route;
    }

    /// Who asks.
    pub fn know(&self, caller: &Caller) {
        let mut line = self.0.line.borrow_mut();
        line.tenant = Some(caller.tenant.clone());
        line.key = Some(caller.name.clone());
    }

    /// An origin is asked.
    pub fn ask(&self, origin: &Rc<Origin>) {
        let mut line = self.0.line.borrow_mut();
        line.attempts += 1;
        line.origin = Some(origin.url.to_string());
    }

    /// A second origin is asked beside the first.
    pub fn hedge(&self) {
        self.0.line.borrow_mut().hedged = true;
    }

    /// A stage has ended.
    pub fn time(&self, stage: &'static str, took: Duration) {
        self.0.line.borrow_mut().stages_ms.insert(stage, milliseconds(took));
    }

    /// It failed; in a stream that can be after the head.
    pub fn fail(&self, failure: &Failure) {
        let mut line = self.0.line.borrow_mut();
        line.code = Some(failure.problem.code);
        line.cause.clone_from(&failure.cause);
    }

    /// How the cache takes part, in place of what was noted before.
    pub fn cache(&self, status: CacheStatus) {
        self.0.line.borrow_mut().cache = Some(status);
    }

    /// What was noted of the cache's part.
    pub fn cache_status(&self) -> Option<CacheStatus> {
        self.0.line.borrow().cache
    }

    /// The reply has a head.
    pub fn reply(&self, status: u16) {
        self.0.line.borrow_mut().status = status;
    }

    /// The reply was taken to its end.
    pub fn complete(&self) {
        self.0.line.borrow_mut().complete = true;
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let line = self.line.get_mut();
        line.duration_ms = milliseconds(took);
        line.level = level(line);
        if line.event == REQUEST {
            log::gather(line);
            self.stats.count(line, took);
        } else {
            log::write(line);
        }
    }
}

/// Failures with a status of 500 and above are not the client's, but for the one that it asks for.
fn level(line: &Line) -> &'static str {
    let is_ours = line.code.is_some_and(|code| code.status() >= 500 && code != Code::OnlyIfCached);
    match line.cause {
        _ if is_ours => "error",
        Some(_) => "warn",
        None => "info",
    }
}

/// Milliseconds, to a hundredth.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

#[cfg(test)]
mod tests;

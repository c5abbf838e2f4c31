//! `POST /v1/copy`: a brief becomes copy, at once or as it is written.

use std::sync::Arc;

use adlib_shared::brief::Brief;
use adlib_shared::copy::{Copy, TimingMs};
use adlib_shared::event::Event;
use adlib_shared::problem::Problem;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Json, Response};
use futures::{Stream, StreamExt};

use super::app::App;
use super::record::Record;
use super::refusal::Refusal;
use super::stream::{self, Timed};
use super::writer::{WriteContext, Writer};
use super::{deadline, media};

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Writes copy for the brief in the body.
///
/// The client's going away drops this future or the body it returned, and with it the writer's events: that cancels
/// the work.
pub async fn write<W: Writer>(
    State(app): State<Arc<App<W>>>,
    Extension(record): Extension<Record>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    media::require_json(&headers)?;
    let writer = app.writer()?;
    let brief = Brief::parse(&body, &writer.model().languages)?;
    let streams = brief.stream || media::accepts_events(&headers);
    let deadline = deadline::of(&headers, &record, app.request_deadline())?;
    let context =
        WriteContext { tenant: record.tenant(), request_id: record.request_id().to_owned(), deadline };
    let events = Timed::new(writer.write(brief, context)?, deadline);
    if streams {
        return stream::respond(events, record).await;
    }
    let copy = finished(events, &record).await?;
    Ok(respond(&copy, &record))
}

/// The copy in one piece.
pub(super) async fn finished<S: Stream<Item = Event> + Unpin>(
    mut events: Timed<S>,
    record: &Record,
) -> Result<Copy, Problem> {
    while let Some(event) = events.next().await {
        match event {
            Event::Start(_) => {}
            Event::Delta(_) | Event::Variant(_) => record.note_text(),
            Event::Done(copy) => return Ok(copy),
            Event::Error(problem) => return Err(problem),
        }
    }
    Err(stream::unfinished())
}

fn respond(copy: &Copy, record: &Record) -> Response {
    record.note_usage(copy.usage);
    ([(SERVER_TIMING, server_timing(&copy.timing_ms))], Json(copy)).into_response()
}

/// Where the time went, as browsers show it (W3C Server Timing).
fn server_timing(timing: &TimingMs) -> String {
    let TimingMs { queue, prefill, decode, total } = timing;
    format!("queue;dur={queue:.1}, prefill;dur={prefill:.1}, decode;dur={decode:.1}, total;dur={total:.1}")
}

//! `POST /v1/copy/batch`: several briefs at once, each answered by a line as soon as it is written.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use adlib_shared::batch::{Batch, CONTENT_TYPE, Line, Outcome};
use adlib_shared::brief::Brief;
use adlib_shared::copy::{Copy, Usage};
use adlib_shared::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use tokio::time::timeout;

use super::app::App;
use super::copy::finished;
use super::record::Record;
use super::refusal::Refusal;
use super::stream::{KEEP_ALIVE_AFTER, Timed};
use super::writer::{WriteContext, Writer};
use super::{deadline, media};

/// Briefs of one batch that are written at the same time, so that a batch does not take all of the engine's queue.
const AT_ONCE_MAX: usize = 16;
/// What goes out after a silence, since between edge and origin a connection without a sign of life is given up: an empty
/// line, which readers of lines pass over.
const SIGN_OF_LIFE: &[u8] = b"\n";

/// Writes copy for the briefs in the body. The client's going away drops the lines, and with them all work.
pub async fn write<W: Writer>(
    State(app): State<Arc<App<W>>>,
    Extension(record): Extension<Record>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    media::require_json(&headers)?;
    let Batch { briefs, .. } = Batch::parse(&body, &app.writer()?.model().languages)?;
    let deadline = deadline::of(&headers, &record, app.request_deadline())?;
    let noted = record.clone();
    let lines = stream::iter(briefs.into_iter().enumerate())
        .map(move |(index, brief)| {
            let (app, record) = (app.clone(), record.clone());
            async move { (index, outcome(&app, &record, brief, deadline).await, record) }
        })
        .buffer_unordered(AT_ONCE_MAX)
        .map(|(index, outcome, record)| line(index, outcome, &record));
    let lines = lines.scan(Usage::default(), move |sum, (line, usage)| {
        sum.prompt_tokens += usage.prompt_tokens;
        sum.cached_tokens += usage.cached_tokens;
        sum.completion_tokens += usage.completion_tokens;
        noted.note_usage(*sum);
        std::future::ready(Some(line))
    });
    let pieces = stream::unfold(lines.boxed(), |mut lines| async {
        let piece = match timeout(KEEP_ALIVE_AFTER, lines.next()).await {
            Ok(line) => Bytes::from(line?),
            Err(_) => Bytes::from_static(SIGN_OF_LIFE),
        };
        Some((Ok::<_, Infallible>(piece), lines))
    });
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], Body::from_stream(pieces)).into_response())
}

async fn outcome<W: Writer>(
    app: &App<W>,
    record: &Record,
    brief: Result<Brief, Problem>,
    deadline: Instant,
) -> Result<Copy, Problem> {
    let context =
        WriteContext { tenant: record.tenant(), request_id: record.request_id().to_owned(), deadline };
    let events = Timed::new(app.writer()?.write(brief?, context)?, deadline);
    finished(events, record).await
}

/// The line, and the tokens that it took.
fn line(index: usize, outcome: Result<Copy, Problem>, record: &Record) -> (Vec<u8>, Usage) {
    let (outcome, usage) = match outcome {
        Ok(copy) => {
            let usage = copy.usage;
            (Outcome::Copy(Box::new(copy)), usage)
        }
        Err(problem) => (Outcome::Problem(problem.with_instance(record.request_id())), Usage::default()),
    };
    (Line { index, outcome }.encode(), usage)
}

//! A copy as server-sent events, each sent on as it arrives.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use adlib_shared::event::{CONTENT_TYPE, Event, KEEP_ALIVE};
use adlib_shared::limits::EVENT_KEEP_ALIVE_S;
use adlib_shared::problem::{Code, Problem};
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use tokio::time::{Sleep, sleep_until, timeout};

use super::record::Record;
use super::refusal::Refusal;

/// The silence after which a comment keeps the connection alive.
pub(super) const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(EVENT_KEEP_ALIVE_S);
/// How long the writer may overrun the deadline, which it keeps by itself, before its events are dropped.
const DEADLINE_GRACE: Duration = Duration::from_secs(2);

/// The writer's events, made to end as the contract says: with `done` or `error`, and nothing after it. A writer that
/// overruns its deadline or stops in the middle is ended by an error.
pub struct Timed<S> {
    events: Option<S>,
    late: Pin<Box<Sleep>>,
}

impl<S> Timed<S> {
    /// Watches over `events`.
    pub fn new(events: S, deadline: Instant) -> Self {
        Self { events: Some(events), late: Box::pin(sleep_until((deadline + DEADLINE_GRACE).into())) }
    }
}

impl<S: Stream<Item = Event> + Unpin> Stream for Timed<S> {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let Some(events) = &mut self.events else { return Poll::Ready(None) };
        let event = match events.poll_next_unpin(cx) {
            Poll::Ready(Some(event)) => event,
            Poll::Ready(None) => Event::Error(unfinished()),
            Poll::Pending if self.late.as_mut().poll(cx).is_pending() => return Poll::Pending,
            Poll::Pending => {
                tracing::error!("the writer did not keep its deadline");
                Event::Error(Problem::new(Code::DeadlineExceeded, "the copy was not finished in time"))
            }
        };
        if event.is_last() {
            self.events = None;
        }
        Poll::Ready(Some(event))
    }
}

/// The response to a client that wants events.
///
/// Its head waits for the first event, so that what fails before the start is answered with its own status; but no
/// longer than a keep-alive would.
pub async fn respond<S>(mut events: Timed<S>, record: Record) -> Result<Response, Refusal>
where
    S: Stream<Item = Event> + Send + Unpin + 'static,
{
    let first = match timeout(KEEP_ALIVE_AFTER, events.next()).await {
        Ok(Some(Event::Error(problem))) => return Err(Refusal(problem)),
        Ok(Some(event)) => encode(&event, &record),
        Ok(None) => return Err(Refusal(unfinished())),
        Err(_) => KEEP_ALIVE.to_owned(),
    };
    let rest = futures::stream::unfold((events, record), |(mut events, record)| async {
        let text = match timeout(KEEP_ALIVE_AFTER, events.next()).await {
            Ok(event) => encode(&event?, &record),
            Err(_) => KEEP_ALIVE.to_owned(),
        };
        Some((text, (events, record)))
    });
    let chunks =
        futures::stream::iter([first]).chain(rest).map(|text| Ok::<_, Infallible>(Bytes::from(text)));
    let headers = [(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// The writer's events ended before the copy was done. It is the log that says more, not the client's answer.
pub(super) fn unfinished() -> Problem {
    tracing::error!("the writer's events ended without a copy and without an error");
    Problem::new(Code::Internal, "the copy was not finished")
}

/// An event as it travels, noted in the record.
fn encode(event: &Event, record: &Record) -> String {
    match event {
        Event::Start(_) => event.encode(),
        Event::Delta(_) | Event::Variant(_) => {
            record.note_text();
            event.encode()
        }
        Event::Done(copy) => {
            record.note_usage(copy.usage);
            event.encode()
        }
        Event::Error(problem) => {
            record.note_code(problem.code.as_str());
            Event::Error(problem.clone().with_instance(record.request_id())).encode()
        }
    }
}

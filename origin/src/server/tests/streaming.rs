//! Copies in one piece and as events; clients that leave.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use adlib_shared::event::Event;
use adlib_shared::problem::{Code, Problem};
use axum::body::Body;
use futures::{FutureExt, Stream, StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::{Notify, mpsc, oneshot};

use super::harness::{Dropped, Running, brief, copy, delta, soon, start};
use crate::api::record::{Head, Record};
use crate::api::stream::{Timed, respond};

/// Events that a test sends one by one.
fn channel() -> (mpsc::UnboundedSender<Event>, impl Stream<Item = Event> + Send + Unpin) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    (sender, Box::pin(stream::poll_fn(move |cx| receiver.poll_recv(cx))))
}

/// A server whose one request gets the events of a channel, and a signal when they are dropped.
async fn one_request() -> (Running, mpsc::UnboundedSender<Event>, oneshot::Receiver<()>) {
    let (server, sender, _, dropped) = one_watched_request().await;
    (server, sender, dropped)
}

/// The same with a signal when the request has reached the writer.
async fn one_watched_request() -> (Running, mpsc::UnboundedSender<Event>, Arc<Notify>, oneshot::Receiver<()>)
{
    let (sender, events) = channel();
    let (guard, dropped) = Dropped::watch();
    let events = Mutex::new(Some(events.map(move |event| (&guard, event).1)));
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let server = Running::scripted(move |_, _| {
        begins.notify_one();
        Ok(events.lock().unwrap().take().unwrap().boxed())
    })
    .await;
    (server, sender, begun, dropped)
}

async fn chunk(response: &mut reqwest::Response) -> String {
    let chunk = soon(response.chunk()).await.unwrap().expect("the stream goes on");
    String::from_utf8(chunk.to_vec()).unwrap()
}

#[tokio::test]
async fn a_copy_comes_in_one_piece_with_its_timing() {
    let server = Running::writing().await;
    let response = server.post(&brief()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let timing = response.headers()["server-timing"].to_str().unwrap();
    assert_eq!(timing, "queue;dur=0.2, prefill;dur=31.0, decode;dur=410.0, total;dur=441.2");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body, serde_json::to_value(copy()).unwrap());
}

#[tokio::test]
async fn each_event_is_sent_as_it_arrives() {
    let (server, events, _dropped) = one_request().await;
    let request = server.post(&brief()).header("accept", "text/event-stream").send();
    events.send(start()).unwrap();
    let mut response = soon(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(chunk(&mut response).await, start().encode());
    for text in ["Boils ", "in a minute"] {
        events.send(delta(text)).unwrap();
        assert_eq!(chunk(&mut response).await, delta(text).encode());
    }
    events.send(Event::Done(copy())).unwrap();
    assert_eq!(chunk(&mut response).await, Event::Done(copy()).encode());
    assert_eq!(soon(response.chunk()).await.unwrap(), None, "nothing follows the last event");
}

#[tokio::test]
async fn a_brief_can_ask_for_events_itself() {
    let server = Running::writing().await;
    let mut brief = brief();
    brief["stream"] = true.into();
    let response = server.post(&brief).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(response.text().await.unwrap().starts_with("event: start\n"));
}

#[tokio::test]
async fn an_error_before_the_start_has_its_own_status() {
    let (server, events, _dropped) = one_request().await;
    events.send(Event::Error(Problem::new(Code::DeadlineExceeded, "it waited too long"))).unwrap();
    let response = soon(server.post(&brief()).header("accept", "text/event-stream").send()).await.unwrap();
    assert_eq!(response.status(), 504);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn an_error_after_the_start_is_an_event_and_the_stream_ends_without_done() {
    let (server, events, _dropped) = one_request().await;
    for event in
        [start(), Event::Error(Problem::new(Code::ConstraintUnsatisfied, "no copy fits")), delta("late")]
    {
        events.send(event).unwrap();
    }
    let request = server.post(&brief()).header("accept", "text/event-stream").header("x-request-id", "r-1");
    let text = soon(async { request.send().await.unwrap().text().await.unwrap() }).await;
    let (first, error) = text.split_once("\n\n").unwrap();
    assert!(first.starts_with("event: start\n"), "{text}");
    assert!(
        error.starts_with("event: error\n") && error.contains(r#""code":"constraint_unsatisfied""#),
        "{text}"
    );
    assert!(error.contains(r#""instance":"r-1""#), "{text}");
    assert!(!text.contains("event: done") && !text.contains("late"), "{text}");
}

#[tokio::test]
async fn a_writer_that_stops_in_the_middle_is_an_error_too() {
    for accept in ["text/event-stream", "application/json"] {
        let (server, events, _dropped) = one_request().await;
        events.send(start()).unwrap();
        drop(events);
        let response = soon(server.post(&brief()).header("accept", accept).send()).await.unwrap();
        assert!(response.text().await.unwrap().contains(r#""code":"internal""#), "{accept}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_work_in_a_stream() {
    let (server, events, dropped) = one_request().await;
    events.send(start()).unwrap();
    let mut response =
        soon(server.post(&brief()).header("accept", "text/event-stream").send()).await.unwrap();
    chunk(&mut response).await;
    drop(response);
    soon(dropped).await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_work_of_a_whole_copy() {
    let (server, events, begun, mut dropped) = one_watched_request().await;
    events.send(start()).unwrap();
    let request = tokio::spawn(server.post(&brief()).send());
    soon(begun.notified()).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!((&mut dropped).now_or_never().is_none(), "the work goes on while the client waits");
    request.abort();
    soon(dropped).await.unwrap();
}

fn record() -> Record {
    let head =
        Head { method: "POST", route: "/v1/copy".to_owned(), request_id: "r-1".to_owned(), trace_id: None };
    Record::begin(head)
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_kept_alive_every_15_s() {
    let (events, receiver) = channel();
    events.send(start()).unwrap();
    let timed = Timed::new(receiver, Instant::now() + Duration::from_mins(10));
    let mut body: Body = respond(timed, record()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    for silence in 1..=3 {
        let started = tokio::time::Instant::now();
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame.as_ref(), b": keep-alive\n\n", "silence {silence}");
        assert_eq!(started.elapsed().as_secs(), 15);
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_overruns_its_deadline_is_cut_off() {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    let (guard, dropped) = Dropped::watch();
    let stuck = stream::pending::<Event>().map(move |event| (&guard, event).1);
    let refusal = respond(Timed::new(stuck, deadline.into_std()), record()).await.unwrap_err();
    assert_eq!(refusal.0.code, Code::DeadlineExceeded);
    dropped.await.unwrap();
}

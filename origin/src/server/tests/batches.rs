//! Several briefs in one request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adlib_shared::batch::{Line, Outcome};
use adlib_shared::event::Event;
use adlib_shared::limits::{BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX};
use adlib_shared::problem::{Code, Problem};
use futures::{StreamExt, stream};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::harness::{Dropped, Running, brief, copy, soon, start, whole};

fn named(name: &str) -> Value {
    let mut brief = brief();
    brief["product"]["name"] = name.into();
    brief
}

async fn ask(server: &Running, body: &Value) -> Response {
    Client::new().post(format!("{}/v1/copy/batch", server.base)).json(body).send().await.unwrap()
}

/// The next line.
async fn line(response: &mut Response) -> Line {
    let piece = soon(response.chunk()).await.unwrap().expect("the stream goes on");
    serde_json::from_slice(&piece).unwrap()
}

#[tokio::test]
async fn each_brief_gets_a_line_as_soon_as_it_is_written() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let server = Running::scripted(move |brief, _| {
        let (events, mut received) = mpsc::unbounded_channel();
        sender.send((brief.product.name, events)).unwrap();
        Ok(stream::poll_fn(move |cx| received.poll_recv(cx)).boxed())
    })
    .await;
    let mut receiver = receiver;
    let mut response = ask(&server, &json!({ "briefs": [named("Slow"), json!({}), named("Quick")] })).await;
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let invalid = line(&mut response).await;
    assert!(
        matches!(invalid, Line { index: 1, outcome: Outcome::Problem(problem) } if problem.code == Code::InvalidField)
    );
    let (slow, slow_events) = soon(receiver.recv()).await.unwrap();
    let (quick, quick_events) = soon(receiver.recv()).await.unwrap();
    assert_eq!((slow.as_str(), quick.as_str()), ("Slow", "Quick"));
    for event in [start(), Event::Done(copy())] {
        quick_events.send(event).unwrap();
    }
    assert_eq!(line(&mut response).await, Line { index: 2, outcome: Outcome::Copy(Box::new(copy())) });
    let late = Problem::new(Code::ConstraintUnsatisfied, "no copy fits");
    slow_events.send(Event::Error(late)).unwrap();
    let failed = line(&mut response).await;
    assert!(
        matches!(failed, Line { index: 0, outcome: Outcome::Problem(problem) } if problem.instance.is_some())
    );
    assert_eq!(soon(response.chunk()).await.unwrap(), None, "nothing follows the last line");
}

#[tokio::test]
async fn a_batch_does_not_write_all_of_its_briefs_at_once() {
    let (begun, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running, peak) = (Arc::clone(&begun), Arc::clone(&most));
    let server = Running::scripted(move |_, _| {
        peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let running = Arc::clone(&running);
        let events = stream::iter(whole()).then(move |event| {
            let running = Arc::clone(&running);
            async move {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                if event.is_last() {
                    running.fetch_sub(1, Ordering::SeqCst);
                }
                event
            }
        });
        Ok(events.boxed())
    })
    .await;
    let text = ask(&server, &json!({ "briefs": vec![brief(); 64] })).await.text().await.unwrap();
    assert_eq!(text.lines().count(), 64);
    assert_eq!((most.load(Ordering::SeqCst), begun.load(Ordering::SeqCst)), (16, 0));
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_work_of_its_batch() {
    let (guard, dropped) = Dropped::watch();
    let guard = std::sync::Mutex::new(Some(guard));
    let server = Running::scripted(move |_, _| {
        let guard = guard.lock().unwrap().take();
        Ok(stream::pending().map(move |event: Event| (&guard, event).1).boxed())
    })
    .await;
    let response = ask(&server, &json!({ "briefs": [json!({}), brief()] })).await;
    drop(response);
    soon(dropped).await.unwrap();
}

#[tokio::test]
async fn a_batch_may_be_larger_than_a_brief_up_to_its_own_limit() {
    let server = Running::writing().await;
    for (length, status) in
        [(BODY_BYTES_MAX + 1, 200), (BATCH_BODY_BYTES_MAX, 200), (BATCH_BODY_BYTES_MAX + 1, 413)]
    {
        let mut body = json!({ "briefs": [brief()] }).to_string();
        body.push_str(&" ".repeat(length - body.len()));
        let request = Client::new().post(format!("{}/v1/copy/batch", server.base));
        let response = request.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{length}");
    }
}

//! Clients that stop in the middle. Time is simulated: it passes at once whenever everybody waits.

use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::harness::{Dropped, Running, brief, delta};
use crate::api::body::BODY_READ_MAX;
use crate::server::connection::{HEADER_READ_MAX, WRITE_STALL_MAX};

/// How far simulated time may be off.
const SLACK: Duration = Duration::from_secs(1);

fn assert_about(took: Duration, expected: Duration) {
    assert!(took >= expected && took < expected + SLACK, "{took:?} instead of {expected:?}");
}

#[tokio::test(start_paused = true)]
async fn half_a_head_is_waited_for_within_a_limit() {
    let server = Running::writing().await;
    let begun = Instant::now();
    let answer = server.raw(b"GET /healthz HTTP/1.1\r\nhost: o").await;
    assert!(!answer.contains("200"), "{answer}");
    assert_about(begun.elapsed(), HEADER_READ_MAX);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_the_same_limit() {
    let server = Running::writing().await;
    let begun = Instant::now();
    let answer = server.raw(b"GET /healthz HTTP/1.1\r\nhost: o\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_about(begun.elapsed(), HEADER_READ_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stays_away_is_waited_for_within_a_limit() {
    let server = Running::writing().await;
    let begun = Instant::now();
    let head =
        b"POST /v1/copy HTTP/1.1\r\nhost: o\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n";
    let answer = server.raw(head).await;
    assert!(answer.starts_with("HTTP/1.1 504 ") && answer.contains("deadline_exceeded"), "{answer}");
    assert_about(begun.elapsed(), BODY_READ_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut_off_and_its_work_cancelled() {
    let (guard, dropped) = Dropped::watch();
    let guard = std::sync::Mutex::new(Some(guard));
    let server = Running::scripted(move |_, _| {
        let guard = guard.lock().unwrap().take().unwrap();
        let events = stream::repeat_with(|| delta(&"never read ".repeat(10_000)));
        Ok(events.map(move |event| (&guard, event).1).boxed())
    })
    .await;
    let mut client = TcpStream::connect(&server.base["http://".len()..]).await.unwrap();
    let body = brief().to_string();
    let head = format!(
        "POST /v1/copy HTTP/1.1\r\nhost: o\r\naccept: text/event-stream\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let begun = Instant::now();
    client.write_all(head.as_bytes()).await.unwrap();
    dropped.await.unwrap();
    assert_about(begun.elapsed(), WRITE_STALL_MAX);
}

//! Every limit that a request can meet, at the limit and one past it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::harness::{PATIENCE, start};

#[tokio::test]
async fn requests_beyond_the_limit_are_told_to_come_back() {
    let harness = start(|config| config.limits.requests_max = 2).await;
    let replies = join_all(["/sleep/2000"; 3].map(|path| harness.get(path))).await;
    let (served, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!(served.len(), 2);
    refused[0].is_problem(503, "overloaded");
    assert_eq!(refused[0].headers["retry-after"], "1");
    assert_eq!(harness.get("/hello").await.status, 200, "there is room again");
}

#[tokio::test]
async fn a_streamed_response_counts_until_its_end() {
    let harness = start(|config| config.limits.requests_max = 1).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut body = client.get(harness.url("/stream/3000/20").parse().unwrap()).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert_eq!(harness.get("/hello").await.status, 503);
    drop(body);
    assert!(harness.comes_to("/hello", "hello").await);
    assert!(harness.comes_to("/kv/default/stream", "left").await, "the guest learns that its client left");
}

#[tokio::test]
async fn instances_beyond_the_limit_are_waited_for_and_then_refused() {
    let one = |wait| {
        start(move |config| {
            config.limits.instances_max = 1;
            config.limits.instance_concurrency_max = 1;
            config.limits.instance_wait_max = wait;
        })
    };
    let harness = one(PATIENCE).await;
    let replies = join_all(["/sleep/100"; 2].map(|path| harness.get(path))).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "the second waits its turn: {replies:?}");
    let harness = one(Duration::from_millis(100)).await;
    let replies = join_all(["/sleep/3000"; 2].map(|path| harness.get(path))).await;
    let refused = replies.iter().find(|reply| reply.status != 200).expect("one is refused");
    refused.is_problem(503, "overloaded");
}

#[tokio::test]
async fn an_instance_serves_its_share_and_is_replaced() {
    let harness = start(|config| {
        config.limits.instance_requests_max = 3;
        config.limits.instance_idle_max = PATIENCE;
    })
    .await;
    let mut counts = Vec::new();
    for _ in 0..7 {
        counts.push(harness.get("/count").await.text);
    }
    assert_eq!(counts, ["1", "2", "3", "1", "2", "3", "1"]);
}

#[tokio::test]
async fn an_instance_serves_several_requests_at_once() {
    let harness = start(|config| config.limits.instances_max = 1).await;
    let begun = Instant::now();
    let replies = join_all(["/sleep/1000"; 16].map(|path| harness.get(path))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert!(begun.elapsed() < Duration::from_secs(12), "sixteen of a second took {:?}", begun.elapsed());
}

#[tokio::test]
async fn an_idle_instance_is_dropped() {
    let harness = start(|config| config.limits.instance_idle_max = Duration::from_millis(100)).await;
    assert_eq!(harness.get("/count").await.text, "1");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(harness.get("/count").await.text, "1");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_so() {
    let harness = start(|config| config.limits.request_time_max = Duration::from_secs(2)).await;
    assert_eq!(harness.get("/sleep/50").await.status, 200);
    let begun = Instant::now();
    harness.get("/sleep/60000").await.is_problem(504, "deadline_exceeded");
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(harness.get("/hello").await.status, 200);
}

#[tokio::test]
async fn a_stream_that_takes_too_long_is_cut_and_does_not_look_whole() {
    let harness = start(|config| config.limits.request_time_max = Duration::from_secs(2)).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut body = client.get(harness.url("/stream/3000/20").parse().unwrap()).await.unwrap().into_body();
    let begun = Instant::now();
    let last = loop {
        match body.frame().await {
            Some(Ok(_)) => assert!(begun.elapsed() < PATIENCE),
            other => break other,
        }
    };
    assert!(matches!(last, Some(Err(_))), "{last:?}");
}

#[tokio::test]
async fn a_guest_that_spins_is_dropped_and_others_are_served_meanwhile() {
    let harness = start(|config| config.limits.guest_busy_max = Duration::from_secs(3)).await;
    let begun = Instant::now();
    let spinning = async { (harness.get("/spin").await, begun.elapsed()) };
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let replies = join_all(["/hello"; 8].map(|path| harness.get(path))).await;
        (replies, begun.elapsed())
    };
    let ((spun, spun_took), (others, others_took)) = tokio::join!(spinning, others);
    spun.is_problem(500, "internal");
    assert!(spun_took < PATIENCE, "it took {spun_took:?}");
    assert!(others.iter().all(|reply| reply.status == 200));
    assert!(others_took < spun_took, "the others took {others_took:?}, the spinning one {spun_took:?}");
    assert_eq!(harness.get("/count").await.status, 200);
}

#[tokio::test]
async fn a_guest_that_panics_fails_its_request_and_no_later_one() {
    let harness = start(|_| ()).await;
    for _ in 0..3 {
        harness.get("/panic").await.is_problem(500, "internal");
        assert_eq!(harness.get("/count").await.text, "1", "a fresh instance");
    }
}

#[tokio::test]
async fn memory_grows_to_the_limit_and_not_past_it() {
    let harness = start(|config| config.limits.instance_memory_bytes_max = 32 << 20).await;
    assert_eq!(harness.get("/grow/28").await.text, "28");
    harness.get("/grow/40").await.is_problem(500, "internal");
    assert_eq!(harness.get("/grow/28").await.text, "28");
}

#[tokio::test]
async fn a_body_is_taken_at_the_limit_and_refused_one_byte_past_it() {
    let harness = start(|config| config.limits.request_body_bytes_max = 1000).await;
    assert_eq!(harness.send(Method::POST, "/length", vec![b'x'; 1000]).await.text, "1000");
    harness.send(Method::POST, "/length", vec![b'x'; 1001]).await.is_problem(413, "too_large");

    // Without a declared length the guest learns of it where the limit is.
    let client = Client::builder(TokioExecutor::new()).build_http();
    for (bytes, status) in [(1000, 200), (1001, 500)] {
        let pieces = [Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![b'x'; bytes])))];
        let body = StreamBody::new(futures::stream::iter(pieces));
        let request = Request::post(harness.url("/length")).body(body).unwrap();
        assert_eq!(client.request(request).await.unwrap().status(), status, "{bytes}");
    }
}

#[tokio::test]
async fn a_head_is_taken_at_the_limit_of_fields_and_refused_past_it() {
    let harness = start(|config| {
        config.limits.headers_max = 20;
        config.limits.head_bytes_max = 16 << 10;
    })
    .await;
    let head = |fields: usize, bytes: usize| {
        let fields = (0..fields).map(|n| format!("x-{n}: y\r\n")).collect::<Vec<_>>().concat();
        let long = "z".repeat(bytes);
        format!("GET /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-long: {long}\r\n{fields}\r\n")
    };
    assert!(harness.raw(&head(17, 1)).await.starts_with("HTTP/1.1 200"));
    assert!(harness.raw(&head(18, 1)).await.starts_with("HTTP/1.1 431"));
    assert!(harness.raw(&head(0, 15 << 10)).await.starts_with("HTTP/1.1 200"));
    assert!(harness.raw(&head(0, 17 << 10)).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let harness = start(|config| config.limits.head_time_max = Duration::from_millis(200)).await;
    let begun = Instant::now();
    harness.raw("GET /hello HTTP/1.1\r\nhost: a\r\n").await;
    assert!(begun.elapsed() < PATIENCE, "it took {:?}", begun.elapsed());
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let harness = start(|config| config.limits.connections_max = 1).await;
    let held = tokio::net::TcpStream::connect(harness.host.address()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waiting = tokio::time::timeout(Duration::from_millis(300), harness.get("/hello"));
    assert!(waiting.await.is_err(), "a second connection is served");
    drop(held);
    let served = tokio::time::timeout(PATIENCE, harness.get("/hello")).await;
    assert_eq!(served.expect("the place is free again").status, 200);
}

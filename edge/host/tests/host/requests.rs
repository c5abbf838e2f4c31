//! What the guest sees of a request and the client of a response.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use crate::harness::{PATIENCE, start};

#[tokio::test]
async fn a_component_of_the_spin_sdk_answers() {
    let harness = start(|_| ()).await;
    let reply = harness.get("/hello").await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, "hello"));
    assert_eq!(reply.headers["content-length"], "5");
    assert_eq!(harness.get("/nothing").await.status, 404);
}

#[tokio::test]
async fn the_health_route_is_the_hosts() {
    let harness = start(|_| ()).await;
    let reply = harness.get("/.well-known/spin/health").await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, "OK"));
    harness.get("/.well-known/spin/secrets").await.is_problem(404, "not_found");
}

#[tokio::test]
async fn the_guest_sees_spins_headers_and_no_hop_by_hop_ones() {
    let harness = start(|_| ()).await;
    let request = Request::get(harness.url("/headers/x?y=1"))
        .header("spin-client-addr", "203.0.113.9:1")
        .header("connection", "keep-alive")
        .header("x-mine", "kept")
        .body(Full::new(Bytes::new()))
        .unwrap();
    let text = harness.request(request).await.text;
    let values = |name: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(values("spin-client-addr").len(), 1, "{text}");
    assert!(values("spin-client-addr")[0].starts_with("127.0.0.1:"), "{text}");
    assert_eq!(values("spin-full-url"), [harness.url("/headers/x?y=1")]);
    assert_eq!(values("spin-path-info"), ["/headers/x"]);
    assert_eq!(values("spin-matched-route"), ["/..."]);
    assert_eq!(values("x-mine"), ["kept"]);
    assert!(values("host").is_empty() && values("connection").is_empty(), "{text}");
}

#[tokio::test]
async fn the_guest_sees_an_absolute_uri_and_an_unclear_host_is_refused() {
    let harness = start(|_| ()).await;
    let reply = harness.raw("GET /uri?a HTTP/1.1\r\nhost: edge.example\r\nconnection: close\r\n\r\n").await;
    assert!(reply.ends_with("http://edge.example/uri?a"), "{reply}");
    let reply = harness.raw("GET /uri HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 400") && reply.ends_with("no Host header"), "{reply}");
}

#[tokio::test]
async fn variables_are_filled_from_the_manifest() {
    let harness = start(|_| ()).await;
    assert_eq!(harness.get("/variable/greeting").await.text, "hello from hush");
    assert_eq!(
        harness.get("/variable/token").await.status,
        500,
        "an application's variable is not the component's"
    );
}

#[tokio::test]
async fn bodies_stream_both_ways_without_being_collected() {
    let harness = start(|_| ()).await;
    let (sender, receiver) = futures::channel::mpsc::unbounded::<Result<_, std::io::Error>>();
    let piece =
        |text: &'static str| sender.unbounded_send(Ok(http_body::Frame::data(Bytes::from(text)))).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(harness.url("/echo")).body(StreamBody::new(receiver)).unwrap();
    piece("one");
    let mut body = client.request(request).await.unwrap().into_body();
    // Each piece comes back while the request goes on.
    for (echoed, next) in [("one", "two"), ("two", "three")] {
        let frame = timeout(PATIENCE, body.frame()).await.expect("the piece is not held back");
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), echoed);
        piece(next);
    }
    sender.close_channel();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "three");
}

#[tokio::test]
async fn a_large_body_comes_through_whole() {
    let harness = start(|_| ()).await;
    let body = "0123456789abcdef".repeat(64 << 10);
    let reply = harness.send(Method::POST, "/echo", body.clone()).await;
    assert_eq!(reply.text.len(), body.len());
    assert!(reply.text == body);
}

#[tokio::test]
async fn what_the_guest_starts_goes_on_after_its_response() {
    let harness = start(|_| ()).await;
    assert_eq!(harness.get("/after/1500").await.text, "later");
    assert_eq!(harness.get("/kv/default/after").await.status, 404);
    assert!(harness.comes_to("/kv/default/after", "done").await, "what the guest started did not go on");
}

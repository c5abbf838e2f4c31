//! Requests the guest sends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::harness::{Harness, PATIENCE, Reply, start};

/// A server for the guest to talk to.
struct Origin {
    address: SocketAddr,
    /// Connections it has accepted.
    connections: Arc<AtomicUsize>,
    /// Signalled when `/never` has been asked.
    asked: Arc<Notify>,
    /// Signalled when a response is dropped before its end.
    left: Arc<Notify>,
}

struct SignalLeft(Arc<Notify>);

impl Drop for SignalLeft {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Origin {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (connections, asked, left) = (Arc::new(AtomicUsize::new(0)), Arc::default(), Arc::default());
        let (counter, signals) = (Arc::clone(&connections), (Arc::clone(&asked), Arc::clone(&left)));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                counter.fetch_add(1, Ordering::Relaxed);
                let signals = signals.clone();
                let service = service_fn(move |request| answer(request, signals.clone()));
                let serve = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(serve);
            }
        });
        Self { address, connections, asked, left }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

type Body = http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>;

/// `/late` answers after a second and `/never` never; `/slow` sends a piece at once and the next after a second; `/endless`
/// sends pieces until the reader leaves.
async fn answer(
    request: Request<Incoming>,
    (asked, left): (Arc<Notify>, Arc<Notify>),
) -> Result<Response<Body>, std::convert::Infallible> {
    const SECOND: Duration = Duration::from_secs(1);
    let piece = |text: &'static str| Ok(Frame::data(Bytes::from_static(text.as_bytes())));
    let body = match request.uri().path() {
        "/late" => {
            tokio::time::sleep(SECOND).await;
            Full::new(Bytes::from("late")).boxed()
        }
        "/never" => {
            let _signal = SignalLeft(left);
            asked.notify_one();
            std::future::pending().await
        }
        "/slow" => BodyExt::boxed(StreamBody::new(futures::stream::unfold(0, move |n| async move {
            tokio::time::sleep(SECOND * n.min(1)).await;
            (n < 2).then(|| (piece("piece"), n + 1))
        }))),
        "/endless" => {
            let signal = Arc::new(SignalLeft(left));
            BodyExt::boxed(StreamBody::new(futures::stream::unfold(signal, move |signal| async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                Some((piece("piece"), signal))
            })))
        }
        _ => Full::new(Bytes::from("from the origin")).boxed(),
    };
    Ok(Response::new(body))
}

async fn both() -> (Origin, Harness) {
    let origin = Origin::start().await;
    let url = origin.url("");
    let harness = start(|config| drop(config.variables.insert("origin_url".into(), url))).await;
    (origin, harness)
}

async fn fetch(harness: &Harness, url: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::get(harness.url("/fetch")).header("x-url", url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    harness.request(request.body(Full::new(Bytes::new())).expect("a request")).await
}

#[tokio::test]
async fn an_allowed_host_is_reached_over_one_kept_connection() {
    let (origin, harness) = both().await;
    for _ in 0..5 {
        assert_eq!(fetch(&harness, &origin.url("/a"), &[]).await.text, "from the origin");
    }
    assert_eq!(origin.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn any_other_host_is_denied_before_it_is_reached() {
    let (_origin, harness) = both().await;
    let other = Origin::start().await;
    let reply = fetch(&harness, &other.url("/a"), &[]).await;
    assert_eq!(reply.status, 502);
    assert!(reply.text.contains("HttpRequestDenied"), "{}", reply.text);
    assert_eq!(other.connections.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_closed_port_is_told_as_such() {
    let harness =
        start(|config| drop(config.variables.insert("origin_url".into(), "http://127.0.0.1:1".into()))).await;
    let reply = fetch(&harness, "http://127.0.0.1:1/", &[]).await;
    assert!(reply.text.contains("ConnectionRefused"), "{}", reply.text);
}

#[tokio::test]
async fn a_host_that_does_not_accept_meets_the_connect_time_out() {
    // A listener whose backlog is full answers no further connection.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(tokio::spawn(tokio::net::TcpStream::connect(address)));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let url = format!("http://{address}");
    let harness = start(|config| drop(config.variables.insert("origin_url".into(), url.clone()))).await;
    let begun = Instant::now();
    let reply = fetch(&harness, &url, &[("x-connect-ms", "100")]).await;
    assert!(reply.text.contains("ConnectionTimeout"), "{}", reply.text);
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn the_time_to_the_first_byte_is_the_components_or_the_hosts() {
    let (origin, harness) = both().await;
    let late = origin.url("/late");
    let reply = fetch(&harness, &late, &[("x-first-ms", "100")]).await;
    assert!(reply.text.contains("ConnectionReadTimeout"), "{}", reply.text);
    assert_eq!(fetch(&harness, &late, &[("x-first-ms", "60000")]).await.text, "late");

    let url = origin.url("");
    let harness = start(|config| {
        config.variables.insert("origin_url".into(), url);
        config.limits.outbound_wait_max = Duration::from_millis(100);
    })
    .await;
    let reply = fetch(&harness, &late, &[]).await;
    assert!(reply.text.contains("ConnectionReadTimeout"), "{}", reply.text);
}

#[tokio::test]
async fn the_time_between_pieces_ends_a_body() {
    let (origin, harness) = both().await;
    let slow = origin.url("/slow");
    assert_eq!(fetch(&harness, &slow, &[("x-between-ms", "60000")]).await.text, "piecepiece");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(harness.url("/fetch")).header("x-url", slow).header("x-between-ms", "100");
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let mut body = client.request(request).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "piece");
    assert!(body.frame().await.unwrap().is_err(), "a cut body must not look whole");
}

#[tokio::test]
async fn a_clients_departure_reaches_the_origin() {
    let (origin, harness) = both().await;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(harness.url("/fetch")).header("x-url", origin.url("/endless"));
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let mut body = client.request(request).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    drop(body);
    let left = tokio::time::timeout(PATIENCE, origin.left.notified()).await;
    assert!(left.is_ok(), "the origin still sends to a client that has left");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_response_ends_what_was_sent_for_it_and_nothing_else() {
    let (origin, harness) = both().await;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(harness.url("/fetch")).header("x-url", origin.url("/never"));
    let waiting = tokio::spawn(client.request(request.body(Full::<Bytes>::default()).unwrap()));
    tokio::time::timeout(PATIENCE, origin.asked.notified()).await.expect("the origin is asked");
    // A second client of the same instance.
    let late = origin.url("/late");
    let (other, ()) = tokio::join!(fetch(&harness, &late, &[]), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        waiting.abort();
        let left = tokio::time::timeout(Duration::from_millis(800), origin.left.notified()).await;
        assert!(left.is_ok(), "the origin still works for a client that has left");
    });
    assert_eq!(other.text, "late");
    assert_eq!(harness.get("/count").await.text, "3", "the instance lives on");
}

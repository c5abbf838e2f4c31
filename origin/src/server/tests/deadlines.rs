//! How long a request may take.

use std::time::{Duration, Instant};

use adlib_shared::deadline::DEADLINE;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::harness::{HTTP, Running, brief, whole};

/// A server that tells how much time each brief is given.
async fn telling() -> (Running, mpsc::UnboundedReceiver<Duration>) {
    let (given, seen) = mpsc::unbounded_channel();
    let server = Running::scripted(move |_, context| {
        given.send(context.deadline.saturating_duration_since(Instant::now())).unwrap();
        Ok(stream::iter(whole()).boxed())
    });
    (server.await, seen)
}

fn post(server: &Running, path: &str, body: &Value, left_ms: Option<&str>) -> reqwest::RequestBuilder {
    let request = reqwest::Client::new().post(format!("{}{path}", server.base)).json(body);
    left_ms.into_iter().fold(request, |request, left_ms| request.header(DEADLINE, left_ms))
}

fn routes() -> [(&'static str, Value); 2] {
    [("/v1/copy", brief()), ("/v1/copy/batch", json!({ "briefs": [brief()] }))]
}

#[tokio::test]
async fn the_callers_deadline_shortens_the_services_own_and_never_lengthens_it() {
    let (server, mut given) = telling().await;
    for (path, body) in routes() {
        for (left_ms, most) in [
            (None, HTTP.request_deadline),
            (Some("2000"), Duration::from_secs(2)),
            (Some("600000"), HTTP.request_deadline),
        ] {
            let answer = post(&server, path, &body, left_ms).send().await.unwrap();
            assert_eq!((answer.status(), answer.bytes().await.is_ok()), (reqwest::StatusCode::OK, true));
            let time = given.recv().await.unwrap();
            assert!(time <= most && time > most / 2, "{path}, {left_ms:?}: {time:?}");
        }
    }
}

#[tokio::test]
async fn a_deadline_that_cannot_be_read_is_refused() {
    let (server, _given) = telling().await;
    for (path, body) in routes() {
        for left_ms in ["0", "soon", "-1"] {
            let answer = post(&server, path, &body, Some(left_ms)).send().await.unwrap();
            assert_eq!(answer.status(), 422, "{path}, {left_ms}");
        }
    }
}

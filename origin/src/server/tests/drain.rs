//! A shutdown finishes what runs, within its bound.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::sync::Notify;

use super::harness::{Dropped, HTTP, Running, brief, copy, soon, start, whole};
use crate::server::Drained;
use crate::settings::HttpSettings;
use adlib_shared::event::Event;

#[tokio::test]
async fn running_requests_are_finished_and_new_ones_refused() {
    let finish = Arc::new(Notify::new());
    let released = Arc::clone(&finish);
    let mut server = Running::scripted(move |_, _| {
        let released = Arc::clone(&released);
        let done = stream::once(async move {
            released.notified().await;
            Event::Done(copy())
        });
        Ok(stream::iter([start()]).chain(done).boxed())
    })
    .await;
    let running = soon(server.post(&brief()).header("accept", "text/event-stream").send()).await.unwrap();
    server.stop();
    soon(async {
        while reqwest::get(format!("{}/healthz", server.base)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(server.app.ready().unwrap_err(), ["the origin is shutting down"]);
    finish.notify_one();
    assert!(running.text().await.unwrap().contains("event: done"));
    assert_eq!(soon(server.drained()).await, Drained::Complete);
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut_and_cancelled() {
    let (guard, dropped) = Dropped::watch();
    let guard = std::sync::Mutex::new(Some(guard));
    let settings = HttpSettings { drain: Duration::from_millis(100), ..HTTP };
    let mut server = Running::loading(settings, None).await;
    server.load(move |_, _| {
        let guard = guard.lock().unwrap().take().unwrap();
        Ok(stream::iter([start()]).chain(stream::pending()).map(move |event| (&guard, event).1).boxed())
    });
    let _running = soon(server.post(&brief()).header("accept", "text/event-stream").send()).await.unwrap();
    server.stop();
    assert_eq!(soon(server.drained()).await, Drained::Cut { connections: 1 });
    soon(dropped).await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_a_shutdown_up() {
    let mut server = Running::writing().await;
    let client = reqwest::Client::new();
    client.get(format!("{}/healthz", server.base)).send().await.unwrap().text().await.unwrap();
    server.stop();
    assert_eq!(soon(server.drained()).await, Drained::Complete);
    drop(client);
}

#[tokio::test]
async fn connections_past_the_limit_wait_their_turn() {
    let settings = HttpSettings { connections_max: 1, ..HTTP };
    let server = Running::loading(settings, None).await;
    server.load(|_, _| Ok(stream::iter(whole()).boxed()));
    let address = server.base["http://".len()..].to_owned();
    let first = tokio::net::TcpStream::connect(&address).await.unwrap();
    // The server has accepted it once it no longer takes another.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut second = Box::pin(server.post(&brief()).send());
    let waited = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
    assert!(waited.is_err(), "the second connection is served only when the first is gone");
    drop(first);
    assert_eq!(soon(second).await.unwrap().status(), 200);
}

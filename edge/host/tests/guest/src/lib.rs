//! A component that tries every corner of the host: each route does one thing a real component might, or must not.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::future::{Either, select};
use futures::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, StreamBody};
use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::http::{BoxBody, FullBody, IntoResponse, Request, Response, box_body, send};
use spin_sdk::key_value::Store;
use spin_sdk::redis::{Connection, RedisParameter};
use spin_sdk::wasip3::http::types::RequestOptions;
use spin_sdk::wasip3::http_compat::RequestOptionsExtension;
use spin_sdk::{http_service, time::sleep, variables};

thread_local! {
    /// Requests this instance has begun.
    static BEGUN: Cell<u32> = const { Cell::new(0) };
    /// Whether a request of this instance has landed what others look for.
    static LANDED: Cell<bool> = const { Cell::new(false) };
}

type Reply = anyhow::Result<http::Response<BoxBody>>;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    BEGUN.set(BEGUN.get() + 1);
    route(request).await.unwrap_or_else(|error| text(500, format!("{error:#}")))
}

fn text(status: u16, body: impl Into<Bytes>) -> http::Response<BoxBody> {
    let body = body.into();
    let mut response = http::Response::new(box_body(FullBody::new(body.clone())));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert("content-length", body.len().into());
    response
}

async fn route(request: Request) -> Reply {
    let path = request.uri().path().to_owned();
    let mut words = path[1..].splitn(3, '/');
    let (verb, first, second) =
        (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
    let number = || first.parse::<u64>();
    Ok(match verb {
        "hello" => text(200, "hello"),
        "count" => text(200, BEGUN.get().to_string()),
        "uri" => text(200, request.uri().to_string()),
        "headers" => headers(&request),
        "variable" => text(200, variables::get(first).await?),
        "kv" => key_value(request, first, second).await?,
        "keys" => text(200, Store::open(first).await?.get_keys().await.collect().await?.join(",")),
        "stores" => text(200, open_stores(number()?).await),
        "redis" => text(200, redis(&request, first, second).await),
        "length" => text(200, request.into_body().bytes().await?.len().to_string()),
        "echo" => http::Response::new(box_body(request.into_body().map_err(anyhow::Error::from))),
        "sleep" => {
            sleep(Duration::from_millis(number()?)).await;
            text(200, "slept")
        }
        "land" => {
            sleep(Duration::from_millis(number()?)).await;
            LANDED.set(true);
            text(200, "landed")
        }
        "follow" => follow(Duration::from_millis(number()?)).await,
        "race" => race(Duration::from_millis(number()?), Duration::from_millis(second.parse()?)).await,
        "stream" => stream(number()?, Duration::from_millis(second.parse()?)),
        "after" => after(Duration::from_millis(number()?)),
        "fetch" => fetch(&request).await?,
        "panic" => panic!("this guest panics when it is asked to"),
        "spin" => spin(),
        "grow" => text(200, grow(usize::try_from(number()?)?).to_string()),
        _ => text(404, "no such route"),
    })
}

fn headers(request: &Request) -> http::Response<BoxBody> {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))
    };
    text(200, request.headers().iter().map(line).collect::<String>())
}

async fn key_value(request: Request, store: &str, key: &str) -> Reply {
    let store = Store::open(store).await?;
    Ok(match request.method().as_str() {
        "PUT" => {
            store.set(key, request.into_body().bytes().await?).await?;
            text(200, "set")
        }
        "DELETE" => {
            store.delete(key).await?;
            text(200, "deleted")
        }
        "HEAD" => text(if store.exists(key).await? { 200 } else { 404 }, ""),
        _ => match store.get(key).await? {
            Some(value) => text(200, value),
            None => text(404, "no such key"),
        },
    })
}

/// Runs a command, its arguments separated by slashes, over as many connections to `x-url`, and shows the last answer.
async fn redis(request: &Request, connections: &str, command: &str) -> String {
    let url = request.headers().get("x-url").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut words = command.split('/').map(|word| word.replace("%20", " "));
    let command = words.next().unwrap_or_default();
    let arguments: Vec<_> = words.map(|word| RedisParameter::Binary(word.into_bytes())).collect();
    let (mut held, mut answer) = (Vec::new(), String::new());
    for _ in 0..connections.parse().unwrap_or(1) {
        match Connection::open(url).await {
            Ok(connection) => {
                answer = format!("{:?}", connection.execute(&command, arguments.clone()).await);
                held.push(connection);
            }
            Err(error) => return format!("{} {error:?}", held.len()),
        }
    }
    answer
}

/// Opens the store as often and says how often it worked and what ended it.
async fn open_stores(times: u64) -> String {
    let mut stores = Vec::new();
    for _ in 0..times {
        match Store::open_default().await {
            Ok(store) => stores.push(store),
            Err(error) => return format!("{} {error:?}", stores.len()),
        }
    }
    format!("{} open", stores.len())
}

/// Sends numbered pieces, one at a time; whether the client stayed is kept under the key `stream`.
fn stream(pieces: u64, pause: Duration) -> http::Response<BoxBody> {
    let (mut sender, receiver) = mpsc::channel::<anyhow::Result<http_body::Frame<Bytes>>>(0);
    spin_sdk::wasip3::spawn(async move {
        let mut sent = 0;
        while sent < pieces {
            let piece = Bytes::from(format!("piece {sent}\n"));
            if sender.send(Ok(http_body::Frame::data(piece))).await.is_err() {
                break;
            }
            sent += 1;
            sleep(pause).await;
        }
        drop(sender);
        let outcome = if sent == pieces { "whole" } else { "left" };
        if let Ok(store) = Store::open_default().await {
            let _ = store.set("stream", outcome).await;
        }
    });
    http::Response::new(box_body(StreamBody::new(receiver)))
}

/// Looks again and again for what another request of the same instance lands.
async fn follow(pause: Duration) -> http::Response<BoxBody> {
    let mut looks = 0_u32;
    while !LANDED.get() {
        sleep(pause).await;
        looks += 1;
    }
    text(200, if looks > 0 { "followed" } else { "too late to follow" })
}

/// Sleeps for the shorter time, again and again, and gives the longer one up each time.
async fn race(short: Duration, long: Duration) -> http::Response<BoxBody> {
    for _ in 0..20 {
        let (short, long) = (std::pin::pin!(sleep(short)), std::pin::pin!(sleep(long)));
        if let Either::Right(_) = select(short, long).await {
            return text(200, "the longer one");
        }
    }
    text(200, "the shorter one")
}

/// Goes on after the response and keeps a sign of it under the key `after`.
fn after(pause: Duration) -> http::Response<BoxBody> {
    spin_sdk::wasip3::spawn(async move {
        sleep(pause).await;
        if let Ok(store) = Store::open_default().await {
            let _ = store.set("after", "done").await;
        }
    });
    text(202, "later")
}

/// Sends a request to `x-url`, under the time-outs of the other headers, and passes the response on as it comes.
async fn fetch(request: &Request) -> Reply {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let options = RequestOptions::new();
    let nanoseconds =
        |name: &str| header(name).and_then(|ms| ms.parse::<u64>().ok()).map(|ms| ms * 1_000_000);
    let set = [
        options.set_connect_timeout(nanoseconds("x-connect-ms")),
        options.set_first_byte_timeout(nanoseconds("x-first-ms")),
        options.set_between_bytes_timeout(nanoseconds("x-between-ms")),
    ];
    anyhow::ensure!(set.iter().all(Result::is_ok), "the host does not take a time-out");
    let outbound = http::Request::get(header("x-url").unwrap_or("/"))
        .extension(RequestOptionsExtension(options))
        .body(FullBody::new(Bytes::new()))?;
    let response: Response = match send(outbound).await {
        Ok(response) => response,
        Err(error) => return Ok(text(502, format!("{error:?}"))),
    };
    let (parts, body) = response.into_parts();
    let body = body.stream().map(|piece| anyhow::Ok(http_body::Frame::data(piece?)));
    let mut reply = http::Response::new(box_body(StreamBody::new(body)));
    *reply.status_mut() = parts.status;
    Ok(reply)
}

fn spin() -> ! {
    let mut value = 1_u64;
    loop {
        value = std::hint::black_box(value.wrapping_mul(3));
    }
}

/// Takes this many MiB and returns how many it has.
fn grow(mib: usize) -> usize {
    let memory = std::hint::black_box(vec![1_u8; mib << 20]);
    memory.len() >> 20
}

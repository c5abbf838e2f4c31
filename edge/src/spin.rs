//! The component as Spin runs it: the one place that speaks to Spin's interfaces.

mod http;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::{Request, Response};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use http_body_util::{BodyDataStream, Full};
use spin_sdk::key_value::Store;
use spin_sdk::redis::{self, Connection, RedisParameter, RedisResult};
use spin_sdk::variables;
use spin_sdk::wasip3::clocks::monotonic_clock::wait_for;
use spin_sdk::wasip3::exports::http::handler::Guest;
use spin_sdk::wasip3::http::service;
use spin_sdk::wasip3::http::types::{self, ErrorCode, RequestOptions};
use spin_sdk::wasip3::http_compat::RequestOptionsExtension;
use spin_sdk::wasip3::random::random::get_random_bytes;
use talc::wasm::{WasmDynamicTalc, new_wasm_dynamic_allocator};

use crate::edge::Edge;
use crate::settings::{Settings, SettingsError, Timeouts, VARIABLES};
use crate::world::{Incoming, SendError, StoreError, Value, World};

/// Allocation is a good part of what a hit takes, and this allocates faster than what comes with the target.
#[global_allocator]
static ALLOCATOR: WasmDynamicTalc = new_wasm_dynamic_allocator();

/// Random bytes that are asked of the runtime at once: what some twenty requests need.
const RANDOM_BYTES: u64 = 1024;

/// How long a request waits before it looks again how far the instance has come.
const PAUSE: Duration = Duration::from_millis(1);
/// How often a request waits at most for the instance's first one to have its answer.
const PAUSES_MAX: u32 = 3;

thread_local! {
    /// Lives as long as the instance and is shared by its concurrent requests. It is never borrowed across an await.
    static EDGE: RefCell<State> = const { RefCell::new(State::Closed) };
}

/// How far the instance has come.
#[derive(Clone)]
enum State {
    Closed,
    Opening,
    /// Its first request is being answered: what that one reads of the store, those that wait for it need not.
    First(Rc<Edge<Spin>>),
    Open(Rc<Edge<Spin>>),
}

/// What the component exports.
struct Component;

service::export!(Component);

impl Guest for Component {
    async fn handle(request: types::Request) -> Result<types::Response, ErrorCode> {
        let request = http::request(request)?;
        let (edge, _first) = edge().await;
        http::response(edge.answer(request, now_ms()).await)
    }
}

/// The instance's edge. Its first request opens it, and others wait for that; where the first one ends before, the next
/// one that looks opens it.
async fn edge() -> (Rc<Edge<Spin>>, Option<First>) {
    let mut pauses = 0;
    loop {
        match EDGE.with_borrow(Clone::clone) {
            State::Open(edge) => return (edge, None),
            State::First(edge) if pauses >= PAUSES_MAX => {
                // It takes longer, so nobody else has to wait for it.
                EDGE.set(State::Open(Rc::clone(&edge)));
                return (edge, None);
            }
            State::Opening | State::First(_) => wait_for(PAUSE.as_nanos() as u64).await,
            State::Closed => break,
        }
        pauses += 1;
    }
    EDGE.set(State::Opening);
    let first = First;
    let edge = Rc::new(Edge::new(Rc::new(Spin::default()), settings().await));
    EDGE.set(State::First(Rc::clone(&edge)));
    (edge, Some(first))
}

/// The first request's part. When it ends, nobody has to wait for it.
struct First;

impl Drop for First {
    fn drop(&mut self) {
        EDGE.set(match EDGE.with_borrow(Clone::clone) {
            State::First(edge) | State::Open(edge) => State::Open(edge),
            State::Opening | State::Closed => State::Closed,
        });
    }
}

async fn settings() -> Result<Settings, SettingsError> {
    let values = join_all(VARIABLES.map(|variable| variables::get(variable.name))).await;
    let mut known = HashMap::new();
    for (variable, value) in VARIABLES.iter().zip(values) {
        match value {
            Ok(value) => drop(known.insert(variable.name, value)),
            Err(variables::Error::Undefined(_)) => {}
            Err(error) => {
                let cause =
                    if variable.secret { "the provider failed".to_owned() } else { format!("{error:?}") };
                return Err(SettingsError::Unreadable { name: variable.name, cause });
            }
        }
    }
    Settings::parse(|name| known.get(name).cloned())
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Spin's runtime, or one that offers the same interfaces.
#[derive(Default)]
struct Spin {
    /// The default store, opened once: some stores answer an open with a round trip.
    store: RefCell<Option<Rc<Store>>>,
    /// The connection to Redis.
    redis: RefCell<Option<Rc<Connection>>>,
    /// Random bytes that are not used yet.
    random: RefCell<Vec<u8>>,
}

/// Closes the connection to Redis, unless the command that it guards has ended well.
struct Suspect<'a>(&'a Spin);

impl Drop for Suspect<'_> {
    fn drop(&mut self) {
        self.0.redis.replace(None);
    }
}

impl Spin {
    async fn store(&self) -> Result<Rc<Store>, StoreError> {
        if let Some(store) = self.store.borrow().clone() {
            return Ok(store);
        }
        let store =
            Rc::new(Store::open_default().await.map_err(|error| StoreError::Failed(format!("{error:?}")))?);
        self.store.replace(Some(Rc::clone(&store)));
        Ok(store)
    }

    async fn connection(&self, address: &str) -> Result<Rc<Connection>, StoreError> {
        if let Some(connection) = self.redis.borrow().clone() {
            return Ok(connection);
        }
        let opened = Connection::open(address).await;
        let connection = Rc::new(opened.map_err(|error| StoreError::Unreachable(format!("{error:?}")))?);
        self.redis.replace(Some(Rc::clone(&connection)));
        Ok(connection)
    }

    /// What the store says. After a failure it is opened anew, in case the failure is the handle's.
    fn said<T>(&self, result: Result<T, spin_sdk::key_value::Error>) -> Result<T, StoreError> {
        result.map_err(|error| {
            self.store.replace(None);
            StoreError::Failed(format!("{error:?}"))
        })
    }
}

impl World for Spin {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let store = self.store().await?;
        self.said(store.get(key).await)
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let store = self.store().await?;
        self.said(store.set(key, value).await)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let store = self.store().await?;
        self.said(store.delete(key).await)
    }

    async fn redis(
        &self,
        address: &str,
        command: &'static str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<Value>, StoreError> {
        let suspect = Suspect(self);
        let connection = self.connection(address).await?;
        let arguments = arguments.into_iter().map(RedisParameter::Binary);
        let answer = connection.execute(command, arguments).await.map_err(|error| match error {
            redis::Error::Other(said) => StoreError::of_redis(said),
            error => StoreError::Failed(format!("{error:?}")),
        });
        if !matches!(answer, Err(StoreError::Unreachable(_))) {
            std::mem::forget(suspect);
        }
        Ok(answer?.into_iter().map(value).collect())
    }

    async fn send(
        &self,
        request: Request<Bytes>,
        timeouts: Timeouts,
    ) -> Result<Response<Incoming>, SendError> {
        let mut request = request.map(Full::new);
        request.extensions_mut().insert(RequestOptionsExtension(options(timeouts)?));
        let response = spin_sdk::http::send(request).await.map_err(|code| sort(&code))?;
        Ok(response.map(|body| {
            BodyDataStream::new(body).map(|piece| piece.map_err(|code| sort(&code))).boxed_local()
        }))
    }

    async fn sleep(&self, time: Duration) {
        wait_for(time.as_nanos() as u64).await;
    }

    fn later(&self, work: impl Future<Output = ()> + 'static) {
        spin_sdk::wasip3::spawn(work);
    }

    fn entropy(&self) -> u128 {
        let mut random = self.random.borrow_mut();
        if random.is_empty() {
            *random = get_random_bytes(RANDOM_BYTES);
        }
        let at = random.len().saturating_sub(size_of::<u128>());
        random.drain(at..).fold(0, |bits, byte| bits << 8 | u128::from(byte))
    }
}

fn value(value: RedisResult) -> Value {
    match value {
        RedisResult::Nil => Value::Nil,
        RedisResult::Status(text) => Value::Status(text),
        RedisResult::Int64(number) => Value::Number(number),
        RedisResult::Binary(bytes) => Value::Bytes(bytes),
    }
}

/// The time-outs as the runtime takes them.
fn options(timeouts: Timeouts) -> Result<RequestOptions, SendError> {
    let Timeouts { connect, first_byte, between_bytes, total: _ } = timeouts;
    let ns = |duration: Duration| Some(duration.as_nanos() as u64);
    let options = RequestOptions::new();
    options
        .set_connect_timeout(ns(connect))
        .and_then(|()| options.set_first_byte_timeout(ns(first_byte)))
        .and_then(|()| options.set_between_bytes_timeout(ns(between_bytes)))
        .map_err(|error| SendError::Broken(format!("the runtime does not take the time-outs: {error:?}")))?;
    Ok(options)
}

/// What the runtime's error means here.
fn sort(code: &ErrorCode) -> SendError {
    let cause = format!("{code:?}");
    match code {
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => SendError::Unreachable(cause),
        ErrorCode::HttpRequestDenied => SendError::Denied(cause),
        ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => SendError::TimedOut(cause),
        _ => SendError::Broken(cause),
    }
}

//! A world for tests: a store in memory and an origin that answers from a script.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use futures::{FutureExt, StreamExt};
use http::{Request, Response};

use super::redis_server::RedisServer;
use super::{Incoming, SendError, StoreError, Value, World};
use crate::settings::Timeouts;

/// What the origin answers next.
pub type Scripted = Result<Response<Vec<Result<Bytes, SendError>>>, SendError>;

/// One answer of the script.
enum Line {
    /// It is given.
    Answer(Scripted),
    /// It is given, but not at once.
    Slow(Scripted),
    /// Nothing is answered, ever.
    Silence,
}

/// A world that remembers what it was asked.
#[derive(Default)]
pub struct Memory {
    values: RefCell<HashMap<String, Vec<u8>>>,
    writes: Cell<usize>,
    slept: Cell<Duration>,
    drawn: Cell<u64>,
    reads: RefCell<Vec<String>>,
    is_slow: Cell<bool>,
    redis: Option<RedisServer>,
    is_mute: Cell<bool>,
    is_failing: Cell<bool>,
    fails_after: Cell<Option<usize>>,
    script: RefCell<VecDeque<Line>>,
    sent: RefCell<Vec<Request<Bytes>>>,
    later: RefCell<VecDeque<LocalBoxFuture<'static, ()>>>,
}

impl Memory {
    /// A store that gives way to other tasks before it answers.
    pub fn slow() -> Self {
        Self { is_slow: Cell::new(true), ..Self::default() }
    }

    /// From now on store and origin give way to other tasks before they answer.
    pub fn slow_down(&self) {
        self.is_slow.set(true);
    }

    /// A store whose every operation fails.
    pub fn failing() -> Self {
        Self { is_failing: Cell::new(true), ..Self::default() }
    }

    /// A world with a Redis server.
    pub fn with_redis(server: RedisServer) -> Self {
        Self { redis: Some(server), ..Self::default() }
    }

    /// From now on the Redis server answers nothing, ever.
    pub fn mute_redis(&self) {
        self.is_mute.set(true);
    }

    /// From now on every operation of the store fails, or none.
    pub fn fail(&self, failing: bool) {
        self.is_failing.set(failing);
        self.fails_after.set(None);
    }

    /// After so many operations of the store every further one fails.
    pub fn fail_after(&self, operations: usize) {
        self.fails_after.set(Some(operations));
    }

    /// How long all requests together have slept.
    pub fn slept(&self) -> Duration {
        self.slept.get()
    }

    /// How often something was written.
    pub fn writes(&self) -> usize {
        self.writes.get()
    }

    /// How often something was read whose key begins so, or a command was given to Redis.
    pub fn reads(&self, prefix: &str) -> usize {
        self.reads.borrow().iter().filter(|key| key.starts_with(prefix)).count()
    }

    /// The keys in the store that begin so.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.values.borrow().keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// Whether a text stands in a key or a value of the store.
    pub fn holds(&self, text: &str) -> bool {
        let in_redis = self.redis.as_ref().is_some_and(|server| server.holds(text));
        let is_in = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        in_redis || self.values.borrow().iter().any(|(key, value)| is_in(key.as_bytes()) || is_in(value))
    }

    /// Adds an answer to the origin's script; without one the origin cannot be reached.
    pub fn expect(&self, answer: Scripted) {
        self.script.borrow_mut().push_back(Line::Answer(answer));
    }

    /// Adds an answer that comes after other tasks had their turn, three times.
    pub fn expect_slow(&self, answer: Scripted) {
        self.script.borrow_mut().push_back(Line::Slow(answer));
    }

    /// The next request gets no answer.
    pub fn expect_silence(&self) {
        self.script.borrow_mut().push_back(Line::Silence);
    }

    /// Adds an answer in one piece.
    pub fn expect_body(&self, status: u16, content_type: &str, body: impl Into<Bytes>) {
        let answer = Response::builder().status(status).header("content-type", content_type);
        self.expect(Ok(answer.body(vec![Ok(body.into())]).expect("a valid head")));
    }

    /// What was sent to the origin since the last call.
    pub fn sent(&self) -> Vec<Request<Bytes>> {
        std::mem::take(&mut self.sent.borrow_mut())
    }

    /// Does the work that was put off.
    pub async fn catch_up(&self) {
        loop {
            let next = self.later.borrow_mut().pop_front();
            match next {
                Some(work) => work.await,
                None => return,
            }
        }
    }

    async fn ready(&self) -> Result<(), StoreError> {
        if self.is_slow.get() {
            give_way().await;
        }
        match self.fails_after.get() {
            Some(0) => self.is_failing.set(true),
            Some(left) => self.fails_after.set(Some(left - 1)),
            None => {}
        }
        if self.is_failing.get() { Err(StoreError::Failed("it is switched off".to_owned())) } else { Ok(()) }
    }
}

/// Lets other tasks have their turn.
pub async fn give_way() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl World for Memory {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.ready().await?;
        self.reads.borrow_mut().push(key.to_owned());
        Ok(self.values.borrow().get(key).cloned())
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.ready().await?;
        self.writes.set(self.writes.get() + 1);
        self.values.borrow_mut().insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.ready().await?;
        self.values.borrow_mut().remove(key);
        Ok(())
    }

    async fn redis(
        &self,
        _: &str,
        command: &'static str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<Value>, StoreError> {
        self.ready().await?;
        self.reads.borrow_mut().push(command.to_owned());
        if self.is_mute.get() {
            return std::future::pending().await;
        }
        let Some(server) = &self.redis else {
            return Err(StoreError::Unreachable("there is none".to_owned()));
        };
        server.run(command, arguments)
    }

    async fn send(&self, request: Request<Bytes>, _: Timeouts) -> Result<Response<Incoming>, SendError> {
        self.sent.borrow_mut().push(request);
        if self.is_slow.get() {
            give_way().await;
        }
        let next = self.script.borrow_mut().pop_front();
        let answer = match next {
            Some(Line::Answer(answer)) => answer?,
            Some(Line::Slow(answer)) => {
                for _ in 0..3 {
                    give_way().await;
                }
                answer?
            }
            Some(Line::Silence) => std::future::pending().await,
            None => return Err(SendError::Unreachable("nothing is scripted".to_owned())),
        };
        Ok(answer.map(|pieces| futures::stream::iter(pieces).boxed_local()))
    }

    /// Time passes at once.
    fn later(&self, work: impl Future<Output = ()> + 'static) {
        self.later.borrow_mut().push_back(work.boxed_local());
    }

    async fn sleep(&self, time: Duration) {
        self.slept.set(self.slept.get() + time);
        give_way().await;
    }

    fn entropy(&self) -> u128 {
        self.drawn.set(self.drawn.get() + 1);
        u128::from(self.drawn.get()) << 64 | 0x5eed
    }
}

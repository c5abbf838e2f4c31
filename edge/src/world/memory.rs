//! A world for tests: a store in memory and an origin that answers from a script.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use futures::{FutureExt, StreamExt};
use http::{Request, Response};

use super::{Incoming, SendError, StoreError, World};
use crate::settings::Timeouts;

/// What the origin answers next.
pub type Scripted = Result<Response<Vec<Result<Bytes, SendError>>>, SendError>;

/// A world that remembers what it was asked.
#[derive(Default)]
pub struct Memory {
    values: RefCell<HashMap<String, Vec<u8>>>,
    writes: Cell<usize>,
    is_slow: bool,
    is_failing: Cell<bool>,
    script: RefCell<VecDeque<Scripted>>,
    sent: RefCell<Vec<Request<Bytes>>>,
    later: RefCell<VecDeque<LocalBoxFuture<'static, ()>>>,
}

impl Memory {
    /// A store that gives way to other tasks before it answers.
    pub fn slow() -> Self {
        Self { is_slow: true, ..Self::default() }
    }

    /// A store whose every operation fails.
    pub fn failing() -> Self {
        Self { is_failing: Cell::new(true), ..Self::default() }
    }

    /// From now on every operation of the store fails, or none.
    pub fn fail(&self, failing: bool) {
        self.is_failing.set(failing);
    }

    /// How often something was written.
    pub fn writes(&self) -> usize {
        self.writes.get()
    }

    /// The keys in the store that begin so.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.values.borrow().keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// Adds an answer to the origin's script; without one the origin cannot be reached.
    pub fn expect(&self, answer: Scripted) {
        self.script.borrow_mut().push_back(answer);
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
        if self.is_slow {
            let mut waited = false;
            std::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut waited, true) {
                    std::task::Poll::Ready(())
                } else {
                    std::task::Poll::Pending
                }
            })
            .await;
        }
        if self.is_failing.get() { Err(StoreError("it is switched off".to_owned())) } else { Ok(()) }
    }
}

impl World for Memory {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.ready().await?;
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

    async fn send(&self, request: Request<Bytes>, _: Timeouts) -> Result<Response<Incoming>, SendError> {
        self.sent.borrow_mut().push(request);
        let answer = self.script.borrow_mut().pop_front();
        let answer =
            answer.unwrap_or_else(|| Err(SendError::Unreachable("nothing is scripted".to_owned())))?;
        Ok(answer.map(|pieces| futures::stream::iter(pieces).boxed_local()))
    }

    fn later(&self, work: impl Future<Output = ()> + 'static) {
        self.later.borrow_mut().push_back(work.boxed_local());
    }

    fn entropy(&self) -> u128 {
        0x5eed
    }
}

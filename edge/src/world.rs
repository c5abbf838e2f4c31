//! What the component asks of the runtime around it, so that everything else can be tested without one.

#[cfg(test)]
pub mod memory;
#[cfg(test)]
pub mod redis_server;

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::LocalBoxStream;
use http::{Request, Response};

use crate::settings::Timeouts;

/// The body of an answer of the origin, piece by piece as it arrives. Dropping it ends the origin's work.
pub type Incoming = LocalBoxStream<'static, Result<Bytes, SendError>>;

/// The runtime: a key-value store, a way to a Redis server and one to the origin.
pub trait World: 'static {
    /// The value of a key in the default store.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>>;

    /// Sets the value of a key in the default store.
    fn set(&self, key: &str, value: &[u8]) -> impl Future<Output = Result<(), StoreError>>;

    /// Removes a key from the default store; it need not be there.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), StoreError>>;

    /// Runs a command on the Redis server at this address. The connection is made by the first command and serves all
    /// others, until one of them fails or is given up; the next one then makes another.
    fn redis(
        &self,
        address: &str,
        command: &'static str,
        arguments: Vec<Vec<u8>>,
    ) -> impl Future<Output = Result<Vec<Value>, StoreError>>;

    /// Sends a request and returns at the head of the answer.
    fn send(
        &self,
        request: Request<Bytes>,
        timeouts: Timeouts,
    ) -> impl Future<Output = Result<Response<Incoming>, SendError>>;

    /// Goes on with some work after the reply, also when the client has left.
    fn later(&self, work: impl Future<Output = ()> + 'static);

    /// Returns after this time. It is the one way in which a request can wait for what is not the runtime's doing: by
    /// looking again.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()>;

    /// Random bits that nobody can foretell.
    fn entropy(&self) -> u128;
}

/// One value of an answer of Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Nil,
    /// That something was done.
    Status(String),
    /// A number.
    Number(i64),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A store gave no answer, in the words of the runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no connection, or it took too long.
    #[error("the store cannot be reached: {0}")]
    Unreachable(String),
    /// It refused.
    #[error("the store failed: {0}")]
    Failed(String),
    /// Redis does not know the script that it was to run.
    #[error("the store does not know the script")]
    NoScript,
}

impl StoreError {
    /// Reads what a Redis server answered in place of values. Runtimes write the server's code each in their way.
    pub fn of_redis(said: String) -> Self {
        let is_unknown_script = ["NOSCRIPT", "NoScript", "No matching script"];
        if is_unknown_script.iter().any(|known| said.contains(known)) {
            return Self::NoScript;
        }
        // A server that starts, or that is no longer the one that writes, is as good as away.
        let is_away = ["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "BusyLoading"];
        let answered = ["WRONGTYPE", "ERR ", "OOM", "NOPERM", "ResponseError", "response error"];
        if answered.iter().any(|known| said.contains(known))
            && !is_away.iter().any(|away| said.contains(away))
        {
            return Self::Failed(said);
        }
        Self::Unreachable(said)
    }
}

/// The origin gave no answer, or not a whole one; with the runtime's own words for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There was no connection.
    #[error("the origin cannot be reached: {0}")]
    Unreachable(String),
    /// A time-out passed.
    #[error("the origin took too long: {0}")]
    TimedOut(String),
    /// The connection broke, or what came is not HTTP.
    #[error("the origin's answer broke off: {0}")]
    Broken(String),
    /// The runtime does not send it: the host is not allowed, or the client has left.
    #[error("the runtime sends nothing: {0}")]
    Denied(String),
}

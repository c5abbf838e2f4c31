//! One of those that are measured beside each other.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::load::{Load, Outcome, RequestText};

/// A server, and what it is asked again and again.
pub struct Contender {
    /// Its name in the report.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// The request with this number.
    pub request: Arc<RequestText>,
    /// What the head of every answer must hold.
    pub expected: &'static str,
    /// Whether it runs in this process, whose time is then told.
    pub is_here: bool,
    /// How many different requests there are; each is sent once before those that are measured.
    pub distinct: usize,
    /// It is sent one in so many of a round's requests; more than 1 for one that would take too long.
    pub one_in: usize,
}

/// What one round found about a contender.
#[derive(Debug)]
pub struct Measured {
    /// Over many connections.
    pub many: Outcome,
    /// Over one connection.
    pub alone: Outcome,
}

impl Contender {
    /// Sends the round's load, after the requests that fill its cache.
    pub async fn measure(&self, connections: usize, many: usize, alone: usize) -> anyhow::Result<Measured> {
        self.send(1, self.distinct, 0, "").await?;
        let [many, alone] = [many, alone].map(|count| (count / self.one_in).max(connections));
        Ok(Measured {
            many: self.send(connections, many, 0, self.expected).await?,
            alone: self.send(1, alone, 0, self.expected).await?,
        })
    }

    /// Sends so many requests, from the one with the number `first` on.
    pub async fn send(
        &self,
        connections: usize,
        requests: usize,
        first: usize,
        expected: &'static str,
    ) -> anyhow::Result<Outcome> {
        let (address, request) = (self.address, Arc::clone(&self.request));
        Load { address, connections, requests, first, request, expected }.send().await
    }
}

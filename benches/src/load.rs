//! A bounded load over kept connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cpu_time::cpu_time;
use crate::median::percentile;

/// Largest response head that is read.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Longest a whole load may take.
const LOAD_MAX: Duration = Duration::from_mins(5);

/// The text of the request with this number.
pub type RequestText = dyn Fn(usize) -> Vec<u8> + Send + Sync;

/// Requests one after the other over each of several connections.
#[derive(Clone)]
pub struct Load {
    /// The server; only ever one of this process, on the loopback address.
    pub address: SocketAddr,
    /// Connections at once.
    pub connections: usize,
    /// Requests over all connections together.
    pub requests: usize,
    /// The number of the first request; the others count on from it.
    pub first: usize,
    /// Gives each request.
    pub request: Arc<RequestText>,
    /// What the head of every response must hold.
    pub expected: &'static str,
}

/// What came of a load.
#[derive(Debug)]
pub struct Outcome {
    elapsed: Duration,
    /// What this process computed meanwhile: the load, and the server where it runs in this process too.
    computed: Duration,
    /// From a request's first byte to the end of its response's head, in microseconds.
    first_byte_us: Vec<f64>,
    /// From a request's first byte to its response's last, in microseconds.
    whole_us: Vec<f64>,
}

impl Outcome {
    /// Requests answered in a second.
    pub fn per_second(&self) -> f64 {
        self.whole_us.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// Microseconds that this process computed for each request, in all its threads.
    pub fn cpu_us(&self) -> f64 {
        micros(self.computed) / self.whole_us.len() as f64
    }

    /// Milliseconds within which this share of the responses had ended.
    pub fn whole_ms(&self, share: f64) -> f64 {
        percentile(&self.whole_us, share) / 1000.0
    }

    /// Milliseconds within which this share of the responses had begun.
    pub fn first_byte_ms(&self, share: f64) -> f64 {
        percentile(&self.first_byte_us, share) / 1000.0
    }
}

impl Load {
    /// Sends the load. An answer that is not the expected one is an error.
    pub async fn send(self) -> anyhow::Result<Outcome> {
        ensure!(self.address.ip().is_loopback(), "a load is only sent to this machine");
        let (start, computed) = (Instant::now(), cpu_time());
        let each = self.requests / self.connections;
        let tasks: Vec<_> = (0..self.connections)
            .map(|index| tokio::spawn(self.clone().send_over_one(self.first + index * each, each)))
            .collect();
        let (mut first_byte_us, mut whole_us) = (Vec::new(), Vec::new());
        for task in tasks {
            let times = tokio::time::timeout(LOAD_MAX, task).await.context("the load took too long")???;
            first_byte_us.extend(times.iter().map(|(first, _)| micros(*first)));
            whole_us.extend(times.iter().map(|(_, whole)| micros(*whole)));
        }
        let computed = cpu_time().saturating_sub(computed);
        Ok(Outcome { elapsed: start.elapsed(), computed, first_byte_us, whole_us })
    }

    async fn send_over_one(self, first: usize, count: usize) -> anyhow::Result<Vec<(Duration, Duration)>> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(HEAD_BYTES_MAX);
        let mut times = Vec::with_capacity(count);
        for number in first..first + count {
            let request = (self.request)(number);
            let start = Instant::now();
            stream.write_all(&request).await?;
            let head = read_head(&mut stream, &mut buffer).await?;
            let first_byte = start.elapsed();
            let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
            if !text.starts_with("http/1.1 200") || !text.contains(self.expected) {
                bail!("expected 200 and {:?}, was answered {text}", self.expected);
            }
            let length = header(&text, "content-length").context("no content-length")?.parse::<usize>()?;
            while buffer.len() < head + length {
                ensure!(stream.read_buf(&mut buffer).await? > 0, "the connection closed within a response");
            }
            times.push((first_byte, start.elapsed()));
        }
        Ok(times)
    }
}

/// Reads until the head is whole; returns its length. What follows it may be in the buffer too.
async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<usize> {
    buffer.clear();
    loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok(at + 4);
        }
        ensure!(buffer.len() < HEAD_BYTES_MAX, "the head of a response is too long");
        ensure!(stream.read_buf(buffer).await? > 0, "the connection closed before a response");
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

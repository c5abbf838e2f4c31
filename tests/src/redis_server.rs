//! A Redis server as an operator runs it: a process that is stopped, flushed and started again.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Longest wait for the server to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of an answer that a test reads.
const ANSWER_BYTES: usize = 64 * 1024;

/// A server on a port of its own that keeps everything in memory. Dropping it kills the process.
pub struct RedisServer {
    child: Child,
    address: SocketAddr,
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    pub async fn start() -> anyhow::Result<Self> {
        let address = crate::free_address()?;
        let server = Self { child: spawn(address)?, address };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `redis://` and its address.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Kills it. What it held is lost.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Starts it again at the same address, empty.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.child = spawn(self.address)?;
        self.wait_until_ready().await
    }

    /// Runs a command, and returns what is answered as it comes over the wire.
    pub async fn command(&self, words: &[&str]) -> anyhow::Result<String> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(&request).await?;
        let mut answer = vec![0; ANSWER_BYTES];
        let bytes = stream.read(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer[..bytes]).trim_end().to_owned())
    }

    async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !self.command(&["PING"]).await.is_ok_and(|answer| answer == "+PONG") {
            ensure!(begun.elapsed() < PATIENCE, "redis-server does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

fn spawn(address: SocketAddr) -> anyhow::Result<Child> {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    Command::new("redis-server")
        .args(["--bind", &host, "--port", &port, "--save", "", "--appendonly", "no"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("redis-server is not installed; `cargo dev test` installs it")
}

//! A proxy on loopback that stands before a server, passes bytes on, and does to its answers what networks do.

mod http;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 16 * 1024;

/// What happens to what the server answers, on open connections too. What an answer is begins with the request before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Each piece comes so much later.
    Latency(Duration),
    /// Each connection is reset: a new one when it is made, an open one at once.
    Reset,
    /// The connection is reset where an answer has more than so many bytes.
    ResetAfter(usize),
    /// The connection is closed there, as if that had been all.
    TruncateAfter(usize),
    /// Only the way to the client is closed there.
    HalfCloseAfter(usize),
    /// An answer comes in small pieces with a pause behind each.
    Drip {
        /// Bytes of a piece.
        bytes: usize,
        /// The pause.
        pause: Duration,
    },
    /// Nothing comes, and nothing ends.
    Silence,
    /// The server is not asked. HTTP requests are answered with this status, as a gateway does whose server is away.
    Status(u16),
}

/// A running proxy. Dropping it ends it with all its connections.
pub struct FaultProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
    Status(u16),
}

impl FaultProxy {
    /// Starts a proxy before a server, without a fault. The server need not run yet.
    pub async fn start(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, fault) = (listener.local_addr()?, watch::Sender::new(Fault::None));
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, faults) = (Arc::clone(&connections), fault.subscribe());
        let accepting = tokio::spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                serving.spawn(serve(client, server, faults.clone()));
                while serving.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, fault, connections, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on this is what happens.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// The connections that were made to it so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves one connection to its end. Whatever goes wrong on either side is what a proxy would pass on: an end.
async fn serve(mut client: TcpStream, server: SocketAddr, faults: watch::Receiver<Fault>) {
    match carry(&mut client, server, faults).await.unwrap_or(End::Closed) {
        End::Closed => {}
        End::Reset => _ = client.set_zero_linger(),
        End::Status(status) => _ = client.write_all(&http::answer(status)).await,
    }
}

async fn carry(
    client: &mut TcpStream,
    server: SocketAddr,
    faults: watch::Receiver<Fault>,
) -> io::Result<End> {
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let passed = AtomicUsize::new(0);
    let mut watched = faults.clone();
    tokio::select! {
        biased;
        Ok(_) = watched.wait_for(|fault| *fault == Fault::Reset) => Ok(End::Reset),
        end = requests(from_client, to_server, &faults, &passed) => end,
        end = answers(from_server, to_client, faults.clone(), &passed) => end,
    }
}

/// Passes requests on until the client closes. Each begins a new answer, of which nothing has passed.
async fn requests(
    mut client: ReadHalf<'_>,
    mut server: WriteHalf<'_>,
    faults: &watch::Receiver<Fault>,
    passed: &AtomicUsize,
) -> io::Result<End> {
    let (mut piece, mut kept) = (vec![0; PIECE_BYTES], Vec::new());
    loop {
        let bytes = client.read(&mut piece).await?;
        if bytes == 0 {
            return Ok(End::Closed);
        }
        let fault = *faults.borrow();
        if let Fault::Status(status) = fault {
            kept.extend_from_slice(&piece[..bytes]);
            if http::is_whole(&kept) {
                return Ok(End::Status(status));
            }
            continue;
        }
        passed.store(0, Ordering::Relaxed);
        server.write_all(&piece[..bytes]).await?;
    }
}

/// Passes answers on as the fault of the moment has it.
async fn answers(
    mut server: ReadHalf<'_>,
    mut client: WriteHalf<'_>,
    mut faults: watch::Receiver<Fault>,
    passed: &AtomicUsize,
) -> io::Result<End> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let bytes = server.read(&mut piece).await?;
        if bytes == 0 {
            return Ok(End::Closed);
        }
        let fault = *faults.wait_for(|fault| *fault != Fault::Silence).await.map_err(io::Error::other)?;
        let rest = match fault {
            Fault::ResetAfter(most) | Fault::TruncateAfter(most) | Fault::HalfCloseAfter(most) => {
                most.saturating_sub(passed.load(Ordering::Relaxed))
            }
            _ => bytes,
        };
        let passing = &piece[..bytes.min(rest)];
        match fault {
            Fault::Latency(time) => {
                tokio::time::sleep(time).await;
                client.write_all(passing).await?;
            }
            Fault::Drip { bytes, pause } => {
                for drop in passing.chunks(bytes) {
                    client.write_all(drop).await?;
                    tokio::time::sleep(pause).await;
                }
            }
            _ => client.write_all(passing).await?,
        }
        passed.fetch_add(passing.len(), Ordering::Relaxed);
        if bytes <= rest {
            continue;
        }
        match fault {
            Fault::ResetAfter(_) => return Ok(End::Reset),
            Fault::HalfCloseAfter(_) => {
                client.shutdown().await?;
                return std::future::pending().await;
            }
            _ => return Ok(End::Closed),
        }
    }
}

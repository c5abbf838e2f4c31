//! A program that serves on the loopback address for a while.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Longest wait until it takes connections.
const START_MAX: Duration = Duration::from_mins(3);
/// Longest wait until it has ended, before it is killed.
const END_MAX: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// A running program. It ends with this value, and so does what lies in its folder.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Server {
    /// Starts what `command` makes for an address and a folder, and waits until it takes connections.
    pub async fn start(
        command: impl FnOnce(SocketAddr, &Path) -> anyhow::Result<Command>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = command(address, folder.path())?;
        let program = command.get_program().display().to_string();
        let log = std::fs::File::create(folder.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let mut server = Self { child, address, folder };
        let began = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if server.child.try_wait()?.is_some() || began.elapsed() > START_MAX {
                let log = std::fs::read_to_string(server.folder.path().join("log")).unwrap_or_default();
                bail!("{program} does not serve: {log}");
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| kill_process(pid, Signal::INT));
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < END_MAX {
            std::thread::sleep(PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

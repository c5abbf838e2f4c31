//! An origin as an operator starts it: a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::process::{Child, Command};

/// Longest wait for an origin to load its model, or to stop.
const PATIENCE: Duration = Duration::from_mins(2);

/// How an origin is started.
#[derive(Debug, Clone, Default)]
pub struct OriginOptions {
    /// The model file; a tiny random one, made for the occasion, where absent.
    pub model: Option<PathBuf>,
    /// Where to listen; a free port where absent.
    pub address: Option<SocketAddr>,
    /// Secret of the signed hop.
    pub hop_secret: Option<String>,
    /// Further flags.
    pub flags: Vec<String>,
}

/// A running origin. Dropping it kills the process.
pub struct Origin {
    child: Child,
    address: SocketAddr,
    /// Holds the tiny model.
    _folder: tempfile::TempDir,
}

impl Origin {
    /// Starts an origin and waits until it is ready.
    pub async fn start(options: &OriginOptions) -> anyhow::Result<Self> {
        let mut origin = Self::spawn(options)?;
        origin.wait_until_ready().await?;
        Ok(origin)
    }

    /// Starts an origin and does not wait.
    pub fn spawn(options: &OriginOptions) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = match options.address {
            Some(address) => address,
            None => crate::free_address()?,
        };
        let mut command = Command::new(crate::binary("origin")?);
        command.arg("serve").args(["--listen", &address.to_string(), "--log-format", "json"]);
        if let Some(model) = &options.model {
            command.arg("--model").arg(model);
        } else {
            let path = folder.path().join("tiny.gguf");
            adlib_origin::model::tiny::write(&path, TINY_SEED)?;
            command.arg("--model").arg(path).args(["--no-adapter", "--threads", "1", "--kv-tokens", "16384"]);
        }
        if let Some(secret) = &options.hop_secret {
            command.env("ADLIB_HOP_SECRET", secret);
        }
        command.args(&options.flags).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().context("the origin does not start")?;
        Ok(Self { child, address, _folder: folder })
    }

    /// Waits until `/readyz` answers 200.
    pub async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let client = reqwest::Client::new();
        let url = format!("{}/readyz", self.url());
        let begun = Instant::now();
        loop {
            if let Ok(answer) = client.get(&url).send().await
                && answer.status().is_success()
            {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the origin ended before it was ready: {status}");
            }
            if begun.elapsed() > PATIENCE {
                bail!("the origin was not ready after {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `http://` and its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it to stop, as an orchestrator does, and does not wait.
    pub async fn ask_to_stop(&self) -> anyhow::Result<()> {
        let id = self.child.id().context("the origin has ended")?;
        let status = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        anyhow::ensure!(status.success(), "kill: {status}");
        Ok(())
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(tokio::time::timeout(PATIENCE, self.child.wait()).await.context("the origin does not end")??)
    }

    /// Kills it, as the machine's end would.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// Seed of the tiny model's weights.
const TINY_SEED: u64 = 1;

//! An edge: the real component in the embedded host, in this process or in one of its own.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use adlib_edge_host::{GuestOutput, Host, HostConfig, Limits, RunningHost, user_compile_cache};
use adlib_shared::api_key::{ApiKey, Kind};
use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::client::Client;

/// Secret of the hop in tests.
pub const HOP_SECRET: &str = "the hop secret of the integration tests";
const PEPPER: &str = "the pepper of the integration tests";
/// Longest wait for a host of its own to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// How an edge is started.
#[derive(Debug, Clone, Default)]
pub struct EdgeOptions {
    /// Variables, beside the keys and secrets.
    pub variables: Vec<(&'static str, String)>,
    /// The host's limits.
    pub limits: Limits,
}

impl EdgeOptions {
    /// Allows so many instances and no more.
    #[must_use]
    pub fn with_instances(mut self, most: u32) -> Self {
        self.limits.instances_max = most;
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn all_variables(&self) -> Vec<(&'static str, String)> {
        let hashes = KEYS.map(|(tenant, scope)| {
            let hash = key_of(tenant).hash(PEPPER.as_bytes()).to_hex();
            format!("{hash}:{tenant}:integration:{scope}")
        });
        let own = [("api_keys", &*hashes.join(" ")), ("key_pepper", PEPPER), ("hop_secret", HOP_SECRET)];
        own.map(|(name, value)| (name, value.to_owned()))
            .into_iter()
            .chain(self.variables.iter().cloned())
            .collect()
    }
}

/// The tenants of the keys that every edge knows, and what each key is for.
const KEYS: [(&str, &str); 3] = [("acme", "copy"), ("other", "copy"), ("operator", "admin")];

/// Clients of one edge.
#[derive(Debug, Clone)]
pub struct Clients {
    /// With the key of tenant `acme`.
    pub client: Client,
    /// With the key of tenant `other`.
    pub other: Client,
    /// With a key of scope `admin`.
    pub operator: Client,
    /// Without a key.
    pub anonymous: Client,
}

impl Clients {
    fn of(address: SocketAddr) -> Self {
        let anonymous = Client::new(format!("http://{address}"));
        let [client, other, operator] = KEYS.map(|(tenant, _)| anonymous.with_key(key_of(tenant).expose()));
        Self { client, other, operator, anonymous }
    }
}

/// An edge in this process. Dropping it ends it at once.
pub struct Edge {
    host: RunningHost,
    /// Its clients.
    pub clients: Clients,
}

impl Edge {
    /// Starts an edge.
    pub async fn start(options: &EdgeOptions) -> anyhow::Result<Self> {
        let mut config = HostConfig::new(crate::root().join("spin.toml"));
        for (name, value) in options.all_variables() {
            config = config.with_variable(name, value);
        }
        config.limits = options.limits.clone();
        config.component = Some(crate::built("ADLIB_EDGE_COMPONENT")?);
        config.compile_cache = user_compile_cache();
        config.guest_output = GuestOutput::StandardError;
        let host = Host::start(config).await?;
        let clients = Clients::of(host.address());
        Ok(Self { host, clients })
    }

    /// Stops it when what runs is finished.
    pub async fn stop(self) {
        self.host.shutdown().await;
    }
}

/// An edge in a process of its own, which can be killed.
pub struct EdgeProcess {
    child: Child,
    /// Its clients.
    pub clients: Clients,
}

impl EdgeProcess {
    /// Starts an edge and waits until it listens.
    pub async fn start(options: &EdgeOptions) -> anyhow::Result<Self> {
        let mut command = Command::new(crate::binary("edge-host")?);
        command.arg("--manifest").arg(crate::root().join("spin.toml"));
        command.arg("--component").arg(crate::built("ADLIB_EDGE_COMPONENT")?);
        command.args(["--listen", "127.0.0.1:0", "--in-memory"]);
        for (name, value) in options.all_variables() {
            command.arg("--variable").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("edge-host does not start")?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let ready =
            tokio::time::timeout(PATIENCE, lines.next_line()).await.context("edge-host is not ready")?;
        let ready = ready?.context("edge-host ended before it was ready")?;
        let (_, address) = ready.rsplit_once("http://").with_context(|| ready.clone())?;
        Ok(Self { child, clients: Clients::of(address.parse()?) })
    }

    /// Kills it, as the machine's end would.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// A key that is the same in every run.
fn key_of(tenant: &str) -> ApiKey {
    let mut entropy = [7; 16];
    entropy[..tenant.len()].copy_from_slice(tenant.as_bytes());
    ApiKey::generate(Kind::Test, entropy)
}

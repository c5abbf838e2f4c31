//! Edge and origin together, as `cargo dev up` starts them.

use std::path::PathBuf;

use adlib_edge_host::{GuestOutput, Host, HostConfig, RunningHost, user_compile_cache};
use adlib_shared::api_key::{ApiKey, Kind};

use crate::client::Client;
use crate::origin::{Origin, OriginOptions};

/// Secret of the hop in tests.
pub const HOP_SECRET: &str = "the hop secret of the integration tests";
const PEPPER: &str = "the pepper of the integration tests";

/// How a stack is started.
#[derive(Debug, Clone, Default)]
pub struct StackOptions {
    /// The model file; a tiny random one where absent.
    pub model: Option<PathBuf>,
    /// Further flags of the origin.
    pub origin_flags: Vec<String>,
    /// Further variables of the edge.
    pub variables: Vec<(&'static str, String)>,
    /// Most instances of the edge; the host's own limit where absent.
    pub instances_max: Option<u32>,
}

/// An origin, an edge before it, and a client with a key.
pub struct Stack {
    /// The origin.
    pub origin: Origin,
    edge: RunningHost,
    /// A client of the edge with the key of tenant `acme`.
    pub client: Client,
    /// The same with the key of tenant `other`.
    pub other: Client,
    /// The same with the key of the operator, whose scope is `admin`.
    pub operator: Client,
    /// The same without a key.
    pub anonymous: Client,
}

impl Stack {
    /// Starts both and waits until they are ready.
    pub async fn start(options: StackOptions) -> anyhow::Result<Self> {
        let origin = Origin::start(&OriginOptions {
            model: options.model,
            hop_secret: Some(HOP_SECRET.to_owned()),
            flags: options.origin_flags,
            ..OriginOptions::default()
        })
        .await?;
        let keys = [("acme", "copy"), ("other", "copy"), ("operator", "admin")]
            .map(|(tenant, scopes)| (tenant, scopes, key_of(tenant)));
        let hashes = keys.each_ref().map(|(tenant, scopes, key)| {
            format!("{}:{tenant}:integration:{scopes}", key.hash(PEPPER.as_bytes()).to_hex())
        });
        let mut config = HostConfig::new(crate::root().join("spin.toml"))
            .with_variable("origin_url", origin.url())
            .with_variable("api_keys", hashes.join(" "))
            .with_variable("key_pepper", PEPPER)
            .with_variable("hop_secret", HOP_SECRET);
        for (name, value) in options.variables {
            config = config.with_variable(name, value);
        }
        if let Some(most) = options.instances_max {
            config.limits.instances_max = most;
        }
        config.component = Some(crate::built("ADLIB_EDGE_COMPONENT")?);
        config.compile_cache = user_compile_cache();
        config.guest_output = GuestOutput::StandardError;
        let edge = Host::start(config).await?;
        let anonymous = Client::new(format!("http://{}", edge.address()));
        let [client, other, operator] = keys.map(|(_, _, key)| anonymous.with_key(key.expose()));
        Ok(Self { origin, edge, client, other, operator, anonymous })
    }

    /// Stops the edge, then the origin.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.edge.shutdown().await;
        self.origin.ask_to_stop().await?;
        let status = self.origin.wait().await?;
        anyhow::ensure!(status.success(), "the origin ended with {status}");
        Ok(())
    }
}

/// A key that is the same in every run.
fn key_of(tenant: &str) -> ApiKey {
    let mut entropy = [7; 16];
    entropy[..tenant.len()].copy_from_slice(tenant.as_bytes());
    ApiKey::generate(Kind::Test, entropy)
}

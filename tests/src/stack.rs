//! Edge and origin together, as `cargo dev up` starts them.

use std::path::PathBuf;

use crate::client::Client;
use crate::edge::{Clients, Edge, EdgeOptions, HOP_SECRET};
use crate::origin::{Origin, OriginOptions};

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
    edge: Edge,
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
        let mut edge = EdgeOptions { variables: options.variables, ..EdgeOptions::default() };
        if let Some(most) = options.instances_max {
            edge = edge.with_instances(most);
        }
        let edge = Edge::start(&edge.with("origin_url", origin.url())).await?;
        let Clients { client, other, operator, anonymous } = edge.clients.clone();
        Ok(Self { origin, edge, client, other, operator, anonymous })
    }

    /// Stops the edge, then the origin.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.edge.stop().await;
        self.origin.ask_to_stop().await?;
        let status = self.origin.wait().await?;
        anyhow::ensure!(status.success(), "the origin ended with {status}");
        Ok(())
    }
}

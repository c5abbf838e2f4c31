//! The harness of the integration tests and benches: a real origin process, the real edge component in the embedded host,
//! and a client between them.
//!
//! `cargo dev test` builds what is started here and names it in the environment: `ADLIB_EDGE_COMPONENT` (the component) and
//! `ADLIB_MODEL` (the default model). The programs lie beside the folder of the test binaries, where cargo puts them
//! when it tests the workspace.

mod client;
mod edge;
mod fault_proxy;
mod issuer;
mod origin;
mod redis_server;
mod stack;

pub use client::{Answer, Client};
pub use edge::{Clients, Edge, EdgeOptions, EdgeProcess, HOP_SECRET};
pub use fault_proxy::{Fault, FaultProxy};
pub use issuer::{Issuer, IssuerKey};
pub use origin::{Origin, OriginOptions};
pub use redis_server::RedisServer;
pub use stack::{Stack, StackOptions};

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Context;

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A path from the environment, which `cargo dev test` sets.
pub fn built(variable: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.filter(|path| path.exists()).with_context(|| {
        format!("{variable} does not name a file; `cargo dev test` builds what the tests start")
    })
}

/// A program of the workspace, as cargo built it with the tests.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let tests = std::env::current_exe()?;
    let path = tests.parent().and_then(|deps| deps.parent()).map(|profile| profile.join(name));
    path.filter(|path| path.is_file())
        .with_context(|| format!("no {name} is built beside {}; `cargo dev test` builds it", tests.display()))
}

/// An address that nobody listens on at this moment.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

//! Runs Adlib's edge component where Spin is not installed.
//!
//! The same `.wasm` and the same `spin.toml` serve Spin and this host. It offers a component WASI 0.2 and 0.3 without
//! folders and sockets, `wasi:http` 0.3, and of Spin's own interfaces `spin:key-value`, `spin:redis` and `spin:variables`; a
//! component that imports more is refused by name. It is what `cargo dev up` starts, what the tests drive and what the benches
//! measure.
//!
//! ```no_run
//! # async fn example() -> Result<(), adlib_edge_host::HostError> {
//! use adlib_edge_host::{Host, HostConfig};
//!
//! let config = HostConfig::new("spin.toml").with_variable("origin_url", "http://127.0.0.1:8080");
//! let host = Host::start(config).await?;
//! println!("http://{}", host.address());
//! host.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod allowed_hosts;
mod bindings;
mod config;
mod departure;
mod guest;
mod host;
mod instances;
mod key_value;
mod limits;
mod listener;
mod manifest;
mod memory;
mod outbound;
mod program;
mod redis;
mod reply;
mod request;
mod response_body;
mod routes;
mod server;
mod template;
pub mod variables;

pub use allowed_hosts::AllowedHostError;
pub use config::{GuestOutput, HostConfig, Stores, user_compile_cache};
pub use host::{Host, HostError, RunningHost};
pub use key_value::KeyValueError;
pub use limits::Limits;
pub use manifest::ManifestError;
pub use program::{Compiled, ProgramError};
pub use routes::RouteError;
pub use template::TemplateError;
pub use variables::VariableError;

//! Adlib's edge: the WebAssembly component that stands before the origin.
//!
//! A request goes through clear stages, each in its own file: [`route`] finds the work, [`request_id`] names the
//! request, [`authenticate`] finds out who asks and [`limit`] how often, [`routes::copy`] validates the brief, makes
//! its key and looks it [up](cache), and on a miss [signs and forwards](hop) it, passes the stream [through](relay) and
//! [keeps](keep) the finished copy. [`edge`] strings them together.
//!
//! Everything but `spin.rs` is independent of the runtime, which it sees as a [`world::World`], and is tested natively.
//! Nothing here panics on what comes from outside: a panic would fail every request that the instance is answering.

pub mod admit;
pub mod answer;
pub mod authenticate;
pub mod body;
pub mod cache;
pub mod call;
pub mod client_address;
pub mod cors;
pub mod edge;
pub mod etag;
pub mod failure;
#[cfg(test)]
mod harness;
pub mod hop;
pub mod keep;
pub mod keyring;
pub mod limit;
pub mod log;
pub mod models;
pub mod relay;
pub mod reply;
pub mod request_id;
pub mod route;
pub mod routes;
pub mod security;
pub mod settings;
pub mod world;

#[cfg(target_family = "wasm")]
mod spin;

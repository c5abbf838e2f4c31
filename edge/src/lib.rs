//! Adlib's edge: the WebAssembly component that stands before the origin.
//!
//! A request goes through clear stages, each in its own file: [`route`] finds the work, [`request_id`] names the
//! request, [`authenticate`] finds out who asks, [`routes::copy`] validates the brief and makes its key; one visit to the
//! [`store`] then [`admit`]s it, or not, and looks it up. A miss is [signed and forwarded](hop), the stream is passed
//! [through](relay), and the finished copy is [kept](keep). [`edge`] strings them together.
//!
//! Everything but `spin.rs` is independent of the runtime, which it sees as a [`world::World`], and is tested natively.
//! Nothing here panics on what comes from outside: a panic would fail every request that the instance is answering.

pub mod admit;
pub mod answer;
pub mod authenticate;
pub mod block;
pub mod body;
pub mod breaker;
pub mod cache;
pub mod call;
pub mod client_address;
pub mod cors;
pub mod edge;
pub mod ending;
pub mod etag;
pub mod failure;
pub mod flight;
pub mod grant;
#[cfg(test)]
mod harness;
pub mod hop;
pub mod index;
pub mod keep;
pub mod keyring;
pub mod limit;
pub mod log;
pub mod memo;
pub mod models;
pub mod record;
pub mod relay;
pub mod reply;
pub mod request_id;
pub mod route;
pub mod routes;
pub mod security;
pub mod settings;
pub mod shelter;
pub mod stats;
pub mod store;
pub mod world;

#[cfg(target_family = "wasm")]
mod spin;

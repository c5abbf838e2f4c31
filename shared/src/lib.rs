//! What Adlib's edge and origin both speak: briefs, copies, channels, limits, errors, keys.
//!
//! The crate is pure: it does no I/O, reads no clock, draws no randomness, and compiles for `wasm32` and native
//! targets alike. Input from outside enters through a `parse` function that either returns a value that is valid
//! by construction or a [`Problem`](problem::Problem); nothing here panics on it.

mod address;
mod named;

pub mod api_key;
pub mod batch;
pub mod brief;
pub mod cache_key;
pub mod catalog;
pub mod channel;
pub mod check;
pub mod copy;
pub mod count;
pub mod deadline;
pub mod event;
pub mod json;
pub mod key;
pub mod keyed_hash;
pub mod limits;
pub mod problem;
pub mod purge;
pub mod rate;
pub mod score;
pub mod signature;
pub mod text;

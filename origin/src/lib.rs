//! Adlib's origin: the language model service.
//!
//! One-way stack: `main → {server, selftest, bench} → api → copy → engine → model → backend`. Leaves: configuration types,
//! telemetry, tokenizer.

pub mod api;
pub mod backend;
pub mod bench;
pub mod copy;
pub mod engine;
pub mod model;
pub mod selftest;
pub mod server;
pub mod settings;
pub mod telemetry;
pub mod tokenizer;

//! Adlib's origin: the language model service.
//!
//! One-way stack: `main → server → api → copy → engine → model → backend`. Leaves: configuration types,
//! telemetry, tokenizer.

pub mod backend;
pub mod engine;
pub mod model;
pub mod settings;

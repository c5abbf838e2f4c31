//! The contract's promises, one module per part.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api_key;
mod batch;
mod brief;
mod brief_property;
mod cache_key;
mod channel;
mod check;
mod check_request;
mod count;
mod deadline;
mod event;
mod key;
mod keyed_hash;
mod pairs;
mod problem;
mod purge;
mod rate;
mod sample;
mod score;
mod signature;
mod text;
mod while_written;

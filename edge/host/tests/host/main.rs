//! The host with a real component in it: `tests/guest`, built for `wasm32-wasip2` by the harness.

mod harness;

mod lifecycle;
mod limits;
mod outbound;
mod redis;
mod requests;
mod stores;

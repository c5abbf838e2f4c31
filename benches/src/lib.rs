//! Adlib's measurements, peers in the same run.
//!
//! Each binary measures one part and prints what it found as a table: medians over rounds in which Adlib and its peer
//! take turns, and their ratio. Absolute speeds are those of one machine at one moment; the ratio is what holds.

pub mod canned_origin;
pub mod contender;
pub mod cpu_time;
pub mod llama_cpp;
pub mod load;
pub mod machine;
pub mod median;
pub mod peers;
pub mod server;
pub mod speed;
pub use adlib_origin::bench::table;

//! The HTTP side over real connections; what writes the copy is a script.

mod batches;
mod checks;
mod deadlines;
mod drain;
mod harness;
mod logs;
mod metrics;
mod refusals;
mod restart;
mod signed;
mod stalls;
mod streaming;

//! The binary `origin`.
fn main() {}

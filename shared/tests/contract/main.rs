//! The contract's promises, one module per part.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod pairs;

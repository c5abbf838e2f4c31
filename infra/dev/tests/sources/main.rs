//! The sources keep their style and their layers. Each rule is a line of a table; a broken one names file and line.
#![expect(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod documents;
mod layering;
mod source;
mod style;

//! When a request has to be done: what the service grants, or what the caller has left where that is less.

use std::time::{Duration, Instant};

use adlib_shared::deadline::{self, DEADLINE};
use adlib_shared::problem::Problem;
use axum::http::HeaderMap;

use super::record::Record;

/// The deadline of a request that the service grants `most`.
///
/// # Errors
/// `invalid_field` where what the caller has left cannot be read.
pub fn of(headers: &HeaderMap, record: &Record, most: Duration) -> Result<Instant, Problem> {
    let left = headers.get(DEADLINE).map(|left| deadline::parse(left.as_bytes())).transpose()?;
    Ok(record.arrived() + left.map_or(most, |left| left.min(most)))
}

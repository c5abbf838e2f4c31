//! Another secret for a key.

use super::new_key::number;
use crate::brief::{Faults, Reader};
use crate::json::Node;
use crate::limits::{KEY_BODY_BYTES_MAX, KEY_OVERLAP_S_MAX};
use crate::problem::Problem;

/// The body of `POST /admin/keys/{id}/rotate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotation {
    /// For how many seconds the secrets before it are still taken; 0 where one of them is in wrong hands.
    pub overlap_s: u64,
}

impl Rotation {
    /// Reads the body.
    ///
    /// # Errors
    /// `too_large`, `malformed_json`, or `invalid_field`.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        let node = Node::parse(body, KEY_BODY_BYTES_MAX)?;
        let mut faults = Faults::default();
        let mut reader = Reader::root(node, &mut faults);
        if !reader.holds("overlap_s") {
            reader.fault("overlap_s", "is required");
        }
        let what = format!("a number of seconds up to {KEY_OVERLAP_S_MAX}");
        let overlap_s = number(&mut reader, "overlap_s", 0, KEY_OVERLAP_S_MAX, &what);
        reader.finish();
        faults.into_result()?;
        Ok(Self { overlap_s: overlap_s.unwrap_or_default() })
    }
}

//! The time that a request may still take, as it travels from hop to hop.
//!
//! It is not signed: whoever changes it can only make an answer come to nothing, which one who stands on the way can do
//! anyhow. It never gives more time than the receiver grants by itself.

use std::time::Duration;

use crate::limits::DEADLINE_MS_MAX;
use crate::problem::{Code, Problem};

/// Header that carries the time left, in milliseconds: from 1 to [`DEADLINE_MS_MAX`].
pub const DEADLINE: &str = "adlib-deadline-ms";

/// Reads the header's value.
///
/// # Errors
/// `invalid_field` where it is no number from 1 to [`DEADLINE_MS_MAX`].
pub fn parse(value: &[u8]) -> Result<Duration, Problem> {
    let digits =
        std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let ms = digits.and_then(|digits| digits.parse().ok()).filter(|ms| (1..=DEADLINE_MS_MAX).contains(ms));
    ms.map(Duration::from_millis).ok_or_else(|| {
        let wrong = format!("is not a whole number from 1 to {DEADLINE_MS_MAX}");
        Problem::new(Code::InvalidField, format!("the header {DEADLINE} {wrong}")).with_field(DEADLINE, wrong)
    })
}

/// The header's value for a time that is left.
pub fn format(left: Duration) -> String {
    (left.as_millis() as u64).clamp(1, DEADLINE_MS_MAX).to_string()
}

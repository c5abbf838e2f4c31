//! The time left, as it travels.

use std::time::Duration;

use adlib_shared::deadline::{format, parse};
use adlib_shared::limits::DEADLINE_MS_MAX;
use adlib_shared::problem::Code;

#[test]
fn what_is_written_is_read_within_the_limits() {
    for (left_ms, read_ms) in [(0, 1), (1, 1), (90_000, 90_000), (DEADLINE_MS_MAX + 1, DEADLINE_MS_MAX)] {
        let written = format(Duration::from_millis(left_ms));
        assert_eq!(parse(written.as_bytes()), Ok(Duration::from_millis(read_ms)));
    }
}

#[test]
fn anything_but_a_number_in_the_range_is_refused() {
    let beyond = (DEADLINE_MS_MAX + 1).to_string();
    for value in ["", "0", "-1", "+1", "1.5", "1s", " 1", &beyond, "99999999999999999999999", "\u{661}"] {
        assert_eq!(parse(value.as_bytes()).unwrap_err().code, Code::InvalidField, "{value}");
    }
    assert!(parse(&[0xff]).is_err());
}

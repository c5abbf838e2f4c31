//! The `traceparent` header (W3C Trace Context, level 1), by which a request joins its caller's trace.

/// A caller's place in its trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent {
    /// 32 hexadecimal digits, not all zero.
    pub trace_id: String,
    /// 16 hexadecimal digits, not all zero.
    pub parent_id: String,
    /// Whether the caller records the trace.
    pub sampled: bool,
}

impl TraceParent {
    /// Reads a header; `None` where it is not valid, which the specification asks to ignore.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace_id, parent_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let known_version = hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        let ids = [(trace_id, 32), (parent_id, 16)];
        let valid_ids =
            ids.iter().all(|(id, digits)| hex(id, *digits) && id.bytes().any(|digit| digit != b'0'));
        if !known_version || !valid_ids || !hex(flags, 2) {
            return None;
        }
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(Self { trace_id: trace_id.to_owned(), parent_id: parent_id.to_owned(), sampled })
    }
}

/// Whether a text is exactly `digits` lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::TraceParent;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_specification_s_example_is_read() {
        let read = TraceParent::parse(VALID).unwrap();
        assert_eq!(read.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(read.parent_id, "00f067aa0ba902b7");
        assert!(read.sampled);
    }

    #[test]
    fn a_later_version_may_have_more_parts() {
        assert!(TraceParent::parse(&format!("cc{}-more", &VALID[2..])).is_some());
        assert!(TraceParent::parse(&format!("{VALID}-more")).is_none());
    }

    #[test]
    fn what_is_not_valid_is_ignored() {
        let cases = [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
        ];
        for case in cases {
            assert_eq!(TraceParent::parse(case), None, "{case:?}");
        }
    }
}

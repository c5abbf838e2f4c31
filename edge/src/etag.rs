//! Entity tags: names of answers, by their digest.

use std::fmt::Write;

use http::HeaderValue;

/// Bytes of a digest that a tag shows.
const TAG_BYTES: usize = 16;

/// The strong tag of a digest.
pub fn strong(digest: &[u8]) -> String {
    let mut tag = String::with_capacity(2 * TAG_BYTES + 2);
    tag.push('"');
    for byte in digest.iter().take(TAG_BYTES) {
        // Writing to a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// Whether `If-None-Match` names the tag; the comparison is weak (RFC 9110, section 13.1.2).
pub fn matches<'a>(values: impl Iterator<Item = &'a HeaderValue>, tag: &str) -> bool {
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|candidate| {
        let candidate = candidate.trim();
        candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == tag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_lists_weak_or_strong() {
        let tag = strong(&[0xab; 32]);
        assert_eq!(tag, format!("\"{}\"", "ab".repeat(TAG_BYTES)));
        for (value, found) in [
            (tag.clone(), true),
            (format!("\"x\", W/{tag}"), true),
            ("*".to_owned(), true),
            ("\"x\"".to_owned(), false),
            (String::new(), false),
        ] {
            let value = HeaderValue::from_str(&value).expect("a header value");
            assert_eq!(matches([&value].into_iter(), &tag), found, "{value:?}");
        }
    }
}

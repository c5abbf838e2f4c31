//! Entity tags: names of answers, by their digest.

use data_encoding::HEXLOWER;
use http::HeaderValue;

/// The strong tag of a digest.
pub fn strong(digest: u128) -> String {
    ["\"", &HEXLOWER.encode(&digest.to_be_bytes()), "\""].concat()
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
        let tag = strong(0xab);
        assert_eq!(tag, "\"000000000000000000000000000000ab\"");
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

//! The headers that keep a browser from doing more with a reply than show it to the page that asked.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::Scheme;

/// How long a browser keeps to HTTPS once it has seen it: two years.
const TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");
/// Nothing of a reply may load anything, nor be shown in a frame.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Adds the headers to a reply that was asked for by `scheme`.
pub fn mark(headers: &mut HeaderMap, scheme: Option<&Scheme>) {
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    let cross_origin = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(cross_origin, HeaderValue::from_static("same-origin"));
    if scheme == Some(&Scheme::HTTPS) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TRANSPORT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transport_security_is_promised_only_over_https() {
        for (scheme, promised) in [(None, false), (Some(Scheme::HTTP), false), (Some(Scheme::HTTPS), true)] {
            let mut headers = HeaderMap::new();
            mark(&mut headers, scheme.as_ref());
            assert_eq!(headers.contains_key(header::STRICT_TRANSPORT_SECURITY), promised);
            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
            assert!(
                headers[header::CONTENT_SECURITY_POLICY]
                    .to_str()
                    .is_ok_and(|policy| policy.contains("'none'"))
            );
        }
    }
}

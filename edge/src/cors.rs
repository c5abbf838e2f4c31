//! Which web origins may call from a browser (the CORS protocol of the Fetch standard).

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Longest allow-list.
pub const CORS_ORIGINS_MAX: usize = 64;
/// Seconds that a browser may remember the answer to a preflight.
const PREFLIGHT_AGE_S: &str = "600";
/// Request headers that a page may send.
const REQUEST_HEADERS: &str =
    "authorization, cache-control, content-type, idempotency-key, if-none-match, traceparent, x-request-id";
/// Reply headers that a page may read.
const REPLY_HEADERS: &str = "age, cache-status, etag, ratelimit, ratelimit-policy, retry-after, server-timing, \
                             x-ratelimit-limit-requests, x-ratelimit-remaining-requests, \
                             x-ratelimit-reset-requests, x-request-id";
const PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");

/// The exact allow-list; a wildcard is not offered, because every route takes a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AllowedOrigins(Vec<String>);

impl AllowedOrigins {
    /// Reads origins separated by commas; an empty text allows none.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let origins: Vec<String> =
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect();
        if origins.len() > CORS_ORIGINS_MAX {
            return Err(format!("lists {} origins; at most {CORS_ORIGINS_MAX} are taken", origins.len()));
        }
        match origins.iter().find(|origin| !is_serialised(origin)) {
            Some(origin) => {
                Err(format!("holds {origin:?}, which is not an origin such as https://app.example"))
            }
            None => Ok(Self(origins)),
        }
    }

    /// The request's `Origin`, where it is on the list.
    fn allowed<'a>(&self, request: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = request.get(header::ORIGIN)?;
        self.0.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then_some(origin)
    }

    /// Adds what a browser needs to hand the reply to the page. Where there is a list, the reply depends on `Origin`.
    pub fn mark(&self, request: &HeaderMap, reply: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        reply.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = self.allowed(request) {
            reply.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            reply.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(REPLY_HEADERS));
        }
    }

    /// Adds the answer to a preflight: which methods and headers the page may use. Access from public pages to a
    /// private network is never granted.
    pub fn mark_preflight(&self, request: &HeaderMap, methods: &'static str, reply: &mut HeaderMap) {
        if self.allowed(request).is_none() || request.contains_key(PRIVATE_NETWORK) {
            return;
        }
        reply.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        reply.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
        reply.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_AGE_S));
    }
}

/// Whether the text is an origin as a browser writes it: scheme, host in lower case, port if it is not the default.
fn is_serialised(origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    matches!(scheme, "http" | "https")
        && !authority.is_empty()
        && !authority.ends_with(default_port)
        && authority
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b':' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(origin: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))])
    }

    #[test]
    fn only_the_exact_origin_is_allowed() {
        let list = AllowedOrigins::parse("https://app.example, http://localhost:5173").expect("a list");
        for (origin, allowed) in [
            ("https://app.example", true),
            ("http://localhost:5173", true),
            ("http://app.example", false),
            ("https://app.example.evil", false),
            ("https://app.example:8443", false),
            ("null", false),
        ] {
            let mut reply = HeaderMap::new();
            list.mark(&request(origin), &mut reply);
            assert_eq!(reply.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), allowed, "{origin}");
            assert_eq!(reply[header::VARY], "Origin");
        }
    }

    #[test]
    fn a_preflight_from_a_listed_origin_names_methods_and_headers() {
        let list = AllowedOrigins::parse("https://app.example").expect("a list");
        let mut reply = HeaderMap::new();
        list.mark_preflight(&request("https://app.example"), "POST, OPTIONS", &mut reply);
        assert_eq!(reply[header::ACCESS_CONTROL_ALLOW_METHODS], "POST, OPTIONS");
        assert!(reply.contains_key(header::ACCESS_CONTROL_ALLOW_HEADERS));
        let mut refused = HeaderMap::new();
        list.mark_preflight(&request("https://other.example"), "POST, OPTIONS", &mut refused);
        assert!(refused.is_empty());
    }

    #[test]
    fn a_list_that_could_never_match_is_refused() {
        for text in
            ["*", "app.example", "https://app.example/", "https://App.example", "https://a:443", "ftp://a"]
        {
            assert!(AllowedOrigins::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_list_is_bounded() {
        let list = |count: usize| vec!["https://a"; count].join(",");
        assert!(AllowedOrigins::parse(&list(CORS_ORIGINS_MAX)).is_ok());
        assert!(AllowedOrigins::parse(&list(CORS_ORIGINS_MAX + 1)).is_err());
    }
}

//! Where the origin is.

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// Scheme and authority of the origin; a path is not allowed, so that what is signed is what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginUrl {
    scheme: Scheme,
    authority: Authority,
}

impl OriginUrl {
    /// Reads `http://host:port` or `https://host:port`.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "is not a URL such as http://127.0.0.1:8080, without a path".to_owned();
        let parts = text.parse::<Uri>().map_err(|_| wrong())?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(wrong()) };
        let bare = parts.path_and_query.is_none_or(|path| path.as_str() == "/");
        let known = scheme == Scheme::HTTP || scheme == Scheme::HTTPS;
        let anonymous = !authority.as_str().contains('@') && !authority.host().is_empty();
        if bare && known && anonymous { Ok(Self { scheme, authority }) } else { Err(wrong()) }
    }

    /// The address of one of the origin's routes.
    pub fn join(&self, route: &'static str) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_static(route));
        Uri::from_parts(parts).expect("scheme, authority and path are all there")
    }
}

impl std::fmt::Display for OriginUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_joined_to_scheme_and_authority() {
        for (text, expected) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/copy"),
            ("https://origin.example/", "https://origin.example/v1/copy"),
            ("http://[::1]:8080", "http://[::1]:8080/v1/copy"),
        ] {
            assert_eq!(OriginUrl::parse(text).expect(text).join("/v1/copy").to_string(), expected);
        }
    }

    #[test]
    fn anything_but_a_bare_http_address_is_refused() {
        for text in
            ["", "origin", "/v1", "ftp://a", "http://a/b", "http://a/?q", "http://user@a", "http://", "a:80"]
        {
            assert!(OriginUrl::parse(text).is_err(), "{text}");
        }
    }
}

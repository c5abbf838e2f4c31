//! The manifest's routes: an exact path, or a prefix written `/prefix/...`.

use http::HeaderValue;
use thiserror::Error;

/// One route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// The route without a trailing `/...`.
    prefix: String,
    wildcard: bool,
    /// `spin-matched-route` and `spin-raw-component-route`: the route as the manifest writes it.
    pub(crate) raw: HeaderValue,
    /// `spin-component-route`: the route without the wildcard.
    pub(crate) without_wildcard: HeaderValue,
}

/// Why a route is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "each message says it")]
pub enum RouteError {
    #[error("a route begins with `/`")]
    Relative,
    #[error("this host has no named wildcards (`:name`)")]
    NamedWildcard,
    #[error("`...` stands only at the end, behind a `/`")]
    Wildcard,
    #[error("a route is visible ASCII")]
    Characters,
}

impl Route {
    pub(crate) fn parse(raw: &str) -> Result<Self, RouteError> {
        if !raw.starts_with('/') {
            return Err(RouteError::Relative);
        }
        if raw.contains("/:") {
            return Err(RouteError::NamedWildcard);
        }
        if !raw.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(RouteError::Characters);
        }
        let (prefix, wildcard) = match raw.strip_suffix("/...") {
            Some(prefix) => (prefix, true),
            None => (raw, false),
        };
        if prefix.contains("...") {
            return Err(RouteError::Wildcard);
        }
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| RouteError::Characters);
        Ok(Self { prefix: prefix.into(), wildcard, raw: value(raw)?, without_wildcard: value(prefix)? })
    }

    /// Orders routes: an exact one before a prefix, a longer prefix before a shorter one.
    pub(crate) fn specificity(&self) -> (bool, usize) {
        (!self.wildcard, self.prefix.len())
    }

    /// Whether the path is this route's, and the part of it that the wildcard stands for.
    pub(crate) fn matches<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.prefix.as_str())?;
        let inside = if self.wildcard { rest.is_empty() || rest.starts_with('/') } else { rest.is_empty() };
        inside.then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_whole_segments() {
        let all = Route::parse("/...").unwrap();
        assert_eq!(all.matches("/"), Some("/"));
        assert_eq!(all.matches("/a/b"), Some("/a/b"));
        let some = Route::parse("/a/...").unwrap();
        assert_eq!(some.matches("/a"), Some(""));
        assert_eq!(some.matches("/a/"), Some("/"));
        assert_eq!(some.matches("/a/b"), Some("/b"));
        assert_eq!(some.matches("/ab"), None);
        assert_eq!(some.without_wildcard, "/a");
    }

    #[test]
    fn an_exact_route_is_exact_and_comes_first() {
        let exact = Route::parse("/a").unwrap();
        assert_eq!(exact.matches("/a"), Some(""));
        assert_eq!(exact.matches("/a/"), None);
        assert!(exact.specificity() > Route::parse("/a/b/...").unwrap().specificity());
    }

    #[test]
    fn routes_that_would_mean_something_else_are_refused() {
        assert_eq!(Route::parse("a").unwrap_err(), RouteError::Relative);
        assert_eq!(Route::parse("/:id").unwrap_err(), RouteError::NamedWildcard);
        assert_eq!(Route::parse("/.../a").unwrap_err(), RouteError::Wildcard);
        assert_eq!(Route::parse("/ä").unwrap_err(), RouteError::Characters);
    }
}

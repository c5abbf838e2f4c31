//! Which work a method and a path ask for.

use adlib_shared::limits::COPY_ID_BYTES_MAX;
use http::Method;

use crate::routes::{blocks, keys};

/// What the edge answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `GET /`: a short index.
    Index,
    /// `GET /healthz`: the component runs.
    Health,
    /// `GET /readyz`: the origin is able to serve.
    Ready,
    /// A route that needs a key.
    Guarded(Guarded),
}

/// What the edge answers to those who have a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarded {
    /// `POST` or `QUERY /v1/copy`: a brief becomes copy.
    Copy,
    /// `POST /v1/copy/batch`: several briefs become copy.
    Batch,
    /// `GET /v1/copies/{id}`: a copy that was written before.
    Stored,
    /// `POST /admin/cache/purge`.
    Purge,
    /// `POST /v1/check`: texts are verified.
    Check,
    /// `GET /v1/channels`.
    Channels,
    /// `GET /v1/tones`.
    Tones,
    /// `GET /v1/frameworks`.
    Frameworks,
    /// `GET /v1/models`.
    Models,
    /// `GET` and `POST /admin/blocks`: who is shut out.
    Blocks,
    /// `DELETE /admin/blocks/…`: one of them.
    Block,
    /// `GET` and `POST /admin/keys`: the keys of all tenants.
    Keys,
    /// `GET` and `DELETE /admin/keys/{id}`: one of them.
    Key,
    /// `POST /admin/keys/{id}/rotate`: another secret for it.
    Rotate,
    /// `GET /v1/stats`: what was counted for the tenant.
    Stats,
    /// `GET /metrics`: what was counted, for Prometheus.
    Metrics,
}

/// Why nothing answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoute {
    /// No route has this path.
    Path,
    /// The path takes other methods.
    Method {
        /// The value of `Allow`.
        allow: &'static str,
    },
    /// The path's methods are asked for, by `OPTIONS`.
    Options {
        /// The value of `Allow`.
        allow: &'static str,
    },
}

const GET: &str = "GET, HEAD, OPTIONS";
const POST: &str = "POST, OPTIONS";
const POST_OR_QUERY: &str = "POST, QUERY, OPTIONS";
/// What stands before the id in the path of a stored copy.
pub const COPIES: &str = "/v1/copies/";
const GET_POST: &str = "GET, HEAD, POST, OPTIONS";
const GET_DELETE: &str = "GET, HEAD, DELETE, OPTIONS";
const DELETE: &str = "DELETE, OPTIONS";

impl Route {
    /// The route of a path, matched exactly.
    fn of_path(path: &str) -> Option<Self> {
        Some(match path {
            "/" => Self::Index,
            "/healthz" => Self::Health,
            "/readyz" => Self::Ready,
            "/v1/copy" => Self::Guarded(Guarded::Copy),
            "/v1/copy/batch" => Self::Guarded(Guarded::Batch),
            "/admin/cache/purge" => Self::Guarded(Guarded::Purge),
            "/v1/check" => Self::Guarded(Guarded::Check),
            "/v1/channels" => Self::Guarded(Guarded::Channels),
            "/v1/tones" => Self::Guarded(Guarded::Tones),
            "/v1/frameworks" => Self::Guarded(Guarded::Frameworks),
            "/v1/models" => Self::Guarded(Guarded::Models),
            blocks::PATH => Self::Guarded(Guarded::Blocks),
            path if path.strip_prefix(blocks::PATH).is_some_and(|rest| rest.starts_with('/')) => {
                Self::Guarded(Guarded::Block)
            }
            keys::PATH => Self::Guarded(Guarded::Keys),
            "/v1/stats" => Self::Guarded(Guarded::Stats),
            "/metrics" => Self::Guarded(Guarded::Metrics),
            _ => return Self::of_id(path),
        })
    }

    /// The route of a path that ends in an id, or in what is done with it.
    fn of_id(path: &str) -> Option<Self> {
        if let Some(id) = path.strip_prefix(COPIES) {
            return is_id(id).then_some(Self::Guarded(Guarded::Stored));
        }
        let key = path.strip_prefix(keys::PATH)?.strip_prefix('/')?;
        match key.strip_suffix(keys::ROTATE) {
            Some(id) => is_id(id).then_some(Self::Guarded(Guarded::Rotate)),
            None => is_id(key).then_some(Self::Guarded(Guarded::Key)),
        }
    }

    /// Whether the route answers `QUERY` (RFC 10008), with what media type.
    pub fn accepts_query(path: &str) -> Option<&'static str> {
        (Self::of_path(path)? == Self::Guarded(Guarded::Copy)).then_some("\"application/json\"")
    }

    /// The route's path, with the name of what differs in it.
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::Index => "/",
            Self::Health => "/healthz",
            Self::Ready => "/readyz",
            Self::Guarded(Guarded::Copy) => "/v1/copy",
            Self::Guarded(Guarded::Batch) => "/v1/copy/batch",
            Self::Guarded(Guarded::Stored) => "/v1/copies/{id}",
            Self::Guarded(Guarded::Purge) => "/admin/cache/purge",
            Self::Guarded(Guarded::Blocks) => blocks::PATH,
            Self::Guarded(Guarded::Block) => "/admin/blocks/{subject}",
            Self::Guarded(Guarded::Keys) => keys::PATH,
            Self::Guarded(Guarded::Key) => "/admin/keys/{id}",
            Self::Guarded(Guarded::Rotate) => "/admin/keys/{id}/rotate",
            Self::Guarded(Guarded::Check) => "/v1/check",
            Self::Guarded(Guarded::Channels) => "/v1/channels",
            Self::Guarded(Guarded::Tones) => "/v1/tones",
            Self::Guarded(Guarded::Frameworks) => "/v1/frameworks",
            Self::Guarded(Guarded::Models) => "/v1/models",
            Self::Guarded(Guarded::Stats) => "/v1/stats",
            Self::Guarded(Guarded::Metrics) => "/metrics",
        }
    }

    /// The route of a request.
    ///
    /// # Errors
    /// Which part of the request has no route.
    pub fn find(method: &Method, path: &str) -> Result<Self, NoRoute> {
        let route = Self::of_path(path).ok_or(NoRoute::Path)?;
        let allow = route.allow();
        match method {
            &Method::OPTIONS => Err(NoRoute::Options { allow }),
            method if allow.split(", ").any(|allowed| allowed == method.as_str()) => Ok(route),
            _ => Err(NoRoute::Method { allow }),
        }
    }

    /// The methods of the route, as `Allow` lists them.
    const fn allow(self) -> &'static str {
        match self {
            Self::Guarded(Guarded::Copy) => POST_OR_QUERY,
            Self::Guarded(Guarded::Check | Guarded::Batch | Guarded::Purge | Guarded::Rotate) => POST,
            Self::Guarded(Guarded::Blocks | Guarded::Keys) => GET_POST,
            Self::Guarded(Guarded::Key) => GET_DELETE,
            Self::Guarded(Guarded::Block) => DELETE,
            _ => GET,
        }
    }
}

/// Whether a segment of a path can be the id of a copy or of a key.
fn is_id(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=COPY_ID_BYTES_MAX).contains(&segment.len()) && segment.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_contract_is_found_by_its_method() {
        for (method, path, route) in [
            (Method::GET, "/", Route::Index),
            (Method::HEAD, "/healthz", Route::Health),
            (Method::GET, "/readyz", Route::Ready),
            (Method::POST, "/v1/copy", Route::Guarded(Guarded::Copy)),
            (Method::QUERY, "/v1/copy", Route::Guarded(Guarded::Copy)),
            (Method::POST, "/v1/copy/batch", Route::Guarded(Guarded::Batch)),
            (Method::GET, "/v1/copies/copy_0aZ", Route::Guarded(Guarded::Stored)),
            (Method::POST, "/admin/cache/purge", Route::Guarded(Guarded::Purge)),
            (Method::POST, "/v1/check", Route::Guarded(Guarded::Check)),
            (Method::GET, "/v1/channels", Route::Guarded(Guarded::Channels)),
            (Method::GET, "/v1/tones", Route::Guarded(Guarded::Tones)),
            (Method::GET, "/v1/frameworks", Route::Guarded(Guarded::Frameworks)),
            (Method::GET, "/v1/models", Route::Guarded(Guarded::Models)),
            (Method::POST, "/admin/blocks", Route::Guarded(Guarded::Blocks)),
            (Method::DELETE, "/admin/blocks/address/192.0.2.1", Route::Guarded(Guarded::Block)),
            (Method::POST, "/admin/keys", Route::Guarded(Guarded::Keys)),
            (Method::DELETE, "/admin/keys/0123456789abcdef", Route::Guarded(Guarded::Key)),
            (Method::POST, "/admin/keys/0123456789abcdef/rotate", Route::Guarded(Guarded::Rotate)),
            (Method::GET, "/v1/stats", Route::Guarded(Guarded::Stats)),
            (Method::GET, "/metrics", Route::Guarded(Guarded::Metrics)),
        ] {
            assert_eq!(Route::find(&method, path), Ok(route), "{method} {path}");
            let (before, _) = route.pattern().split_once('{').unwrap_or((path, ""));
            assert!(path.starts_with(before), "{path}");
        }
    }

    #[test]
    fn another_path_or_method_is_named_as_such() {
        for path in [
            "",
            "/v1",
            "/v1/copy/",
            "/V1/copy",
            "//v1/copy",
            "/v1/copies/",
            "/v1/copies/a/b",
            "/v1/copies/%63",
            "/admin/keys/",
            "/admin/keys//rotate",
            "/admin/keys/a/b",
            "/v1/%63opy",
        ] {
            assert_eq!(Route::find(&Method::POST, path), Err(NoRoute::Path), "{path}");
        }
        assert_eq!(Route::find(&Method::GET, "/v1/copy"), Err(NoRoute::Method { allow: POST_OR_QUERY }));
        assert_eq!(Route::find(&Method::QUERY, "/v1/check"), Err(NoRoute::Method { allow: POST }));
        assert_eq!(Route::find(&Method::DELETE, "/healthz"), Err(NoRoute::Method { allow: GET }));
        assert_eq!(Route::find(&Method::OPTIONS, "/v1/copy"), Err(NoRoute::Options { allow: POST_OR_QUERY }));
    }
}

//! A client's request on its way to the component: an absolute URI, Spin's headers, a bounded body.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderName};
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Uri};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::routes::Route;

const FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
const PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
const MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
const BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
const RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
const COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
const CLIENT_ADDRESS: HeaderName = HeaderName::from_static("spin-client-addr");

/// Gives the request an absolute URI: the authority is the `Host` header's or the URI's, and where there are both they
/// must agree.
pub(crate) fn make_absolute(parts: &mut Parts) -> Result<(), &'static str> {
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    let authority = authority(&parts.headers, uri.authority.take())?;
    uri.path_and_query
        .as_ref()
        .filter(|path| path.as_str().starts_with('/'))
        .ok_or("the target is no path")?;
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(authority);
    parts.uri = Uri::from_parts(uri).map_err(|_| "the target is no URI")?;
    Ok(())
}

fn authority(headers: &HeaderMap, from_uri: Option<Authority>) -> Result<Authority, &'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err("several Host headers");
    }
    let host = match host {
        Some(host) => {
            Some(Authority::try_from(host.as_bytes()).map_err(|_| "the Host header is no authority")?)
        }
        None => None,
    };
    match (host, from_uri) {
        (Some(host), Some(uri)) if host != uri => Err("the Host header and the target name different hosts"),
        (Some(authority), _) | (None, Some(authority)) => Ok(authority),
        (None, None) => Err("no Host header"),
    }
}

/// Sets the headers Spin sets. What a client sent under these names is replaced: nobody else may speak for the host.
pub(crate) fn set_spin_headers(
    parts: &mut Parts,
    route: &Route,
    path_info: &str,
    client: SocketAddr,
) -> Result<(), http::Error> {
    let full_url = HeaderValue::from_maybe_shared(Bytes::from(parts.uri.to_string()))?;
    let path_info = HeaderValue::from_bytes(path_info.as_bytes())?;
    let client = HeaderValue::from_maybe_shared(Bytes::from(client.to_string()))?;
    let headers = &mut parts.headers;
    headers.insert(FULL_URL, full_url);
    headers.insert(PATH_INFO, path_info);
    headers.insert(MATCHED_ROUTE, route.raw.clone());
    headers.insert(BASE_PATH, HeaderValue::from_static("/"));
    headers.insert(RAW_COMPONENT_ROUTE, route.raw.clone());
    headers.insert(COMPONENT_ROUTE, route.without_wildcard.clone());
    headers.insert(CLIENT_ADDRESS, client);
    Ok(())
}

/// The body as the guest reads it, or `None` if its declared length is over the limit already.
pub(crate) fn body(headers: &HeaderMap, body: Incoming, bytes_max: u64) -> Option<WasiBody> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if let Some(bytes) = declared {
        return (bytes <= bytes_max).then(|| body.map_err(Error::from).boxed_unsync());
    }
    let limit = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let body = Limited::new(body, limit).map_err(move |error| match error.downcast::<hyper::Error>() {
        Ok(error) => Error::from(*error),
        Err(error) if error.is::<LengthLimitError>() => Error::HttpRequestBodySize(Some(bytes_max)),
        Err(_) => Error::HttpProtocolError,
    });
    Some(body.boxed_unsync())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_authority_comes_from_the_host_header_or_the_target() {
        for (uri, headers) in [
            ("/a?b=1", vec![("host", "edge.example:3000")]),
            ("http://edge.example:3000/a?b=1", vec![]),
            ("http://edge.example:3000/a?b=1", vec![("host", "edge.example:3000")]),
        ] {
            let mut parts = parts(uri, &headers);
            make_absolute(&mut parts).unwrap();
            assert_eq!(parts.uri, "http://edge.example:3000/a?b=1");
        }
    }

    #[test]
    fn an_unclear_authority_is_refused() {
        let error = |uri, headers: &[(&str, &str)]| make_absolute(&mut parts(uri, headers)).unwrap_err();
        assert_eq!(error("/", &[]), "no Host header");
        assert!(error("http://a.example/", &[("host", "b.example")]).contains("different hosts"));
        assert!(error("/", &[("host", "a"), ("host", "b")]).contains("several"));
        assert!(error("/", &[("host", "a b")]).contains("no authority"));
        assert!(error("*", &[("host", "a")]).contains("no path"));
    }

    #[test]
    fn a_client_cannot_speak_for_the_host() {
        let route = Route::parse("/a/...").unwrap();
        let client = SocketAddr::from(([192, 0, 2, 1], 5000));
        let mut parts = parts(
            "http://h.example/a/b",
            &[("spin-client-addr", "1.1.1.1"), ("spin-client-addr", "2.2.2.2")],
        );
        set_spin_headers(&mut parts, &route, "/b", client).unwrap();
        let all =
            |name: &str| parts.headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(all("spin-client-addr"), ["192.0.2.1:5000"]);
        assert_eq!(all("spin-full-url"), ["http://h.example/a/b"]);
        assert_eq!(all("spin-path-info"), ["/b"]);
        assert_eq!(all("spin-matched-route"), ["/a/..."]);
        assert_eq!(all("spin-component-route"), ["/a"]);
        assert_eq!(all("spin-base-path"), ["/"]);
    }
}

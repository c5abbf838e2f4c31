//! Media types: what a body is declared as, and what a client wants back.

use adlib_shared::problem::{Code, Problem};
use axum::http::HeaderMap;
use axum::http::header::{self, HeaderName};

/// Refuses a body that is not declared as JSON. Parameters such as a character set are not looked at: JSON is UTF-8
/// whatever they say (RFC 8259), and the body is checked to be.
pub fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let declared =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if essence(declared).eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "the content type must be application/json"))
}

/// Whether the client asks for server-sent events.
pub fn accepts_events(headers: &HeaderMap) -> bool {
    values(headers, &header::ACCEPT).any(|range| {
        let refused = range.split(';').skip(1).any(|parameter| {
            parameter.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok()) == Some(0.0)
        });
        essence(range).eq_ignore_ascii_case(adlib_shared::event::CONTENT_TYPE) && !refused
    })
}

/// The members of a header that is a list, over all its lines.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
}

/// A media type without its parameters.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::{accepts_events, require_json};
    use axum::http::header::{ACCEPT, CONTENT_TYPE};
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn json_is_required_whatever_its_parameters() {
        for value in ["application/json", "Application/JSON; charset=utf-8"] {
            assert!(require_json(&headers(CONTENT_TYPE, value)).is_ok(), "{value}");
        }
        for value in ["", "text/plain", "application/jsonp", "application/x-www-form-urlencoded"] {
            assert!(require_json(&headers(CONTENT_TYPE, value)).is_err(), "{value}");
        }
        assert!(require_json(&HeaderMap::new()).is_err());
    }

    #[test]
    fn events_are_sent_to_those_who_ask() {
        for value in ["text/event-stream", "application/json, text/event-stream;q=0.9"] {
            assert!(accepts_events(&headers(ACCEPT, value)), "{value}");
        }
        for value in ["*/*", "application/json", "text/event-stream;q=0"] {
            assert!(!accepts_events(&headers(ACCEPT, value)), "{value}");
        }
    }
}

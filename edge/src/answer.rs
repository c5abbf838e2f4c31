//! What the origin answers, made fit for the client.

use adlib_shared::problem::{self, Code, Problem};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use http::response::Parts;

use crate::body::{ReadError, collect};
use crate::failure::Failure;
use crate::log;
use crate::world::Incoming;

/// Largest answer that is taken whole, in bytes; the largest event of a stream has the same bound.
pub const ANSWER_BYTES_MAX: usize = adlib_shared::limits::EVENT_BYTES_MAX;
/// Largest problem document of the origin, in bytes.
pub const PROBLEM_BYTES_MAX: usize = 64 * 1024;
/// Longest `Retry-After` that is passed on, in seconds.
pub const RETRY_AFTER_S_MAX: u32 = 3600;

/// Reads an answer to its end.
///
/// # Errors
/// `origin_failed` where it is too long or breaks off, `deadline_exceeded` where it stalls.
pub async fn whole(body: Incoming, bytes_max: usize) -> Result<Bytes, Failure> {
    collect(body, None, bytes_max).await.map_err(|error| match error {
        ReadError::TooLarge => Failure::new(Code::OriginFailed, "the origin's answer is too long")
            .because(format_args!("more than {bytes_max} bytes")),
        ReadError::Failed(error) => error.into(),
    })
}

/// Whether the answer is of a media type, whatever its parameters.
pub fn is_of_type(headers: &HeaderMap, expected: &str) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(expected)
}

/// What an answer that is not a success means for the client.
///
/// The origin's own problem documents are passed on, but not those that speak of the hop: a signature that is
/// refused, or a route that is not there, is nothing that the client could mend.
pub async fn failure(head: &Parts, body: Incoming) -> Failure {
    let unusable =
        |cause: String| Failure::new(Code::OriginFailed, "the origin gave no usable answer").because(cause);
    let body = match whole(body, PROBLEM_BYTES_MAX).await {
        Ok(body) if is_of_type(&head.headers, problem::CONTENT_TYPE) => body,
        Ok(_) => return unusable(format!("status {} without a problem document", head.status)),
        Err(failure) => return failure,
    };
    let mut problem: Problem = match serde_json::from_slice(&body) {
        Ok(problem) => problem,
        Err(error) => {
            return unusable(format!(
                "status {}, and a problem that cannot be read: {}",
                head.status,
                log::place(&error)
            ));
        }
    };
    if problem.status() != head.status.as_u16() || is_about_the_hop(problem.code) {
        return unusable(format!("status {} and the code {}", head.status, problem.code));
    }
    problem.retry_after_s = retry_after(&head.headers);
    problem.into()
}

const fn is_about_the_hop(code: Code) -> bool {
    matches!(
        code,
        Code::MalformedJson
            | Code::Unauthorized
            | Code::Forbidden
            | Code::NotFound
            | Code::MethodNotAllowed
            | Code::TooLarge
            | Code::UnsupportedMediaType
    )
}

fn retry_after(headers: &HeaderMap) -> Option<u32> {
    let seconds: u32 = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(seconds.min(RETRY_AFTER_S_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;
    use futures::executor::block_on;
    use http::{HeaderValue, Response};

    fn answered(status: u16, content_type: &'static str, body: &[u8]) -> Problem {
        let (mut head, ()) = Response::builder().status(status).body(()).expect("a valid head").into_parts();
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        head.headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        let body = Bytes::copy_from_slice(body);
        block_on(failure(&head, futures::stream::iter([Ok(body)]).boxed_local())).problem.as_ref().clone()
    }

    #[test]
    fn the_origins_own_problems_are_passed_on_with_their_retry_after() {
        let problem = Problem::new(Code::Overloaded, "the queue is full");
        let passed = answered(503, problem::CONTENT_TYPE, &problem.to_json());
        assert_eq!(passed, problem.with_retry_after_s(7));
    }

    #[test]
    fn a_problem_of_the_hop_is_not_the_clients() {
        for code in [Code::Unauthorized, Code::NotFound, Code::MethodNotAllowed, Code::UnsupportedMediaType] {
            let problem = Problem::new(code, "the signature does not hold");
            let passed = answered(code.status(), problem::CONTENT_TYPE, &problem.to_json());
            assert_eq!(passed.code, Code::OriginFailed);
            assert!(!passed.detail.contains("signature"));
        }
    }

    #[test]
    fn anything_else_is_an_unusable_answer() {
        let problem = Problem::new(Code::Overloaded, "full").to_json();
        for (status, content_type, body) in [
            (500, "text/html", &b"<h1>oops</h1>"[..]),
            (503, problem::CONTENT_TYPE, b"{"),
            (500, problem::CONTENT_TYPE, &problem),
            (204, "", b""),
        ] {
            assert_eq!(answered(status, content_type, body).code, Code::OriginFailed, "{status}");
        }
    }

    #[test]
    fn a_problem_document_is_read_up_to_its_limit() {
        let document = |padding: usize| {
            let problem = Problem::new(Code::Overloaded, "").to_json();
            let mut document = problem.clone();
            document.resize(padding, b' ');
            document
        };
        let at = answered(503, problem::CONTENT_TYPE, &document(PROBLEM_BYTES_MAX));
        assert_eq!(at.code, Code::Overloaded);
        let beyond = answered(503, problem::CONTENT_TYPE, &document(PROBLEM_BYTES_MAX + 1));
        assert_eq!(beyond.code, Code::OriginFailed);
    }
}

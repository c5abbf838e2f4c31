//! The one place where a problem becomes an HTTP response.

use adlib_shared::problem::{CONTENT_TYPE, Problem};
use axum::body::Body;
use axum::http::header::{self, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;

/// Seconds after which to ask a service again that cannot answer now, where the problem does not say.
const RETRY_DEFAULT_S: u32 = 1;

/// A refused request.
///
/// As a response it carries the problem in its extensions; [`render`] writes the document once the request's id is
/// known, so that no handler has to pass the id around.
#[derive(Debug)]
pub struct Refusal(pub Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(&self.0);
        response.extensions_mut().insert(Carried(self.0));
        response
    }
}

/// A problem on its way to [`render`].
#[derive(Debug, Clone)]
struct Carried(Problem);

/// Writes the problem document of a refused request, naming the occurrence by the request's id. Returns the code.
pub fn render(response: &mut Response<Body>, request_id: &str) -> Option<&'static str> {
    let Carried(problem) = response.extensions_mut().remove::<Carried>()?;
    let problem = problem.with_instance(request_id);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    let default = (status(&problem) == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_DEFAULT_S);
    if let Some(seconds) = problem.retry_after_s.or(default) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    *response.body_mut() = Body::from(problem.to_json());
    Some(problem.code.as_str())
}

fn status(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status()).expect("every code of the contract has a valid status")
}

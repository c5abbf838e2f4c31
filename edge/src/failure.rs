//! Why a request is not answered as asked: what the client reads, and what the log says.

use adlib_shared::problem::{Code, Problem};
use http::header::{self, HeaderName, HeaderValue};

use crate::world::{SendError, StoreError};

/// When to ask again while the origin is away, in seconds.
pub const RETRY_AFTER_S: u32 = 2;

/// A problem on its way to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Failure {
    /// What the client reads.
    pub problem: Box<Problem>,
    /// A header that belongs to it, such as `Allow`.
    pub header: Option<(HeaderName, HeaderValue)>,
    /// What only the log says.
    pub cause: Option<String>,
    /// Whether the runtime withheld what the request sent, as it does where its client has left.
    pub is_withheld: bool,
}

impl Failure {
    /// A failure whose cause is the client's request.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// Adds what only the log says.
    #[must_use]
    pub fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Whether it is the same whenever the same brief is sent: what is asked for cannot be written.
    pub const fn is_refusal(&self) -> bool {
        self.problem.status() == 422
    }

    /// Whether something failed that may work again (RFC 5861, section 4).
    pub const fn is_error(&self) -> bool {
        matches!(self.problem.status(), 500 | 502..=504)
    }

    /// Whether it tells others who ask for the same anything: they may have more time, and their clients are there.
    pub fn is_shared(&self) -> bool {
        self.problem.code != Code::DeadlineExceeded && !self.is_withheld
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, HeaderValue::from_static(value)));
        self
    }

    /// A path that takes other methods.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        Self::new(Code::MethodNotAllowed, format!("the route takes {allow}"))
            .with_header(header::ALLOW, allow)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), header: None, cause: None, is_withheld: false }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let problem = Problem::new(Code::Overloaded, "the edge's store does not answer");
        Self::from(problem.with_retry_after_s(RETRY_AFTER_S)).because(error)
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        let failure = match &error {
            SendError::Unreachable(_) | SendError::Denied(_) => {
                let problem = Problem::new(Code::OriginUnavailable, "the origin cannot be reached");
                problem.with_retry_after_s(RETRY_AFTER_S).into()
            }
            SendError::TimedOut(_) => Self::new(Code::DeadlineExceeded, "the origin took too long to answer"),
            SendError::Broken(_) => Self::new(Code::OriginFailed, "the origin's answer broke off"),
        };
        Self { is_withheld: matches!(error, SendError::Denied(_)), ..failure.because(error) }
    }
}

//! How the cache took part in an answer: `Cache-Status` (RFC 9211).

use std::fmt;

/// What the cache did with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// It answered.
    Hit {
        /// Seconds for which the answer stays fresh; negative for a stale one.
        ttl_s: i64,
    },
    /// It went forward to the origin.
    Forward {
        /// Why.
        reason: Forward,
        /// Whether the answer was stored before it was sent on.
        stored: bool,
    },
}

/// Why a request went forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// Nothing was stored under its key.
    UriMiss,
    /// What was stored had expired.
    Stale,
    /// The request's own directives asked for it.
    Request,
    /// The cache is switched off, or the request must not be stored.
    Bypass,
}

impl Forward {
    const fn as_str(self) -> &'static str {
        match self {
            Self::UriMiss => "uri-miss",
            Self::Stale => "stale",
            Self::Request => "request",
            Self::Bypass => "bypass",
        }
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hit { ttl_s } => write!(f, "adlib; hit; ttl={ttl_s}"),
            Self::Forward { reason, stored } => {
                let stored = if *stored { "; stored" } else { "" };
                write!(f, "adlib; fwd={}{stored}", reason.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_a_list_member_of_the_rfc() {
        for (status, text) in [
            (CacheStatus::Hit { ttl_s: 312 }, "adlib; hit; ttl=312"),
            (CacheStatus::Hit { ttl_s: -5 }, "adlib; hit; ttl=-5"),
            (CacheStatus::Forward { reason: Forward::UriMiss, stored: true }, "adlib; fwd=uri-miss; stored"),
            (CacheStatus::Forward { reason: Forward::Stale, stored: false }, "adlib; fwd=stale"),
            (CacheStatus::Forward { reason: Forward::Request, stored: false }, "adlib; fwd=request"),
            (CacheStatus::Forward { reason: Forward::Bypass, stored: false }, "adlib; fwd=bypass"),
        ] {
            assert_eq!(status.to_string(), text);
        }
    }
}

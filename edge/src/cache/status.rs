//! How the cache took part in an answer: `Cache-Status` (RFC 9211).

use std::fmt;

use serde::{Serialize, Serializer};

/// What the cache did with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// It answered.
    Hit {
        /// Seconds for which the answer stays fresh; negative for a stale one.
        ttl_s: i64,
        /// Why a stale answer was given.
        detail: Option<Detail>,
    },
    /// The request was not answered from what was stored when it came.
    Forward(Forwarded),
}

/// What became of a request that the cache did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forwarded {
    /// Why.
    pub reason: Forward,
    /// The origin's status, where the reply has another one.
    pub status: Option<u16>,
    /// Seconds for which a stored answer, which was given in place of the origin's failure, had stayed fresh: not above 0.
    pub ttl_s: Option<i64>,
    /// Whether the answer was stored before it was sent on.
    pub stored: bool,
    /// Whether another request's way to the origin served this one too.
    pub collapsed: bool,
    /// Why a stale answer was given.
    pub detail: Option<Detail>,
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

/// Why a stale answer was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Another one is being written.
    StaleWhileRevalidate,
    /// The origin failed.
    StaleIfError,
}

/// The part that the cache took in an answer, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// It answered, and what it answered was fresh.
    Hit,
    /// It answered, and what it answered was not.
    Stale,
    /// Another request's way to the origin served this one too.
    Coalesced,
    /// It did not answer.
    Miss,
    /// It was not asked.
    Bypass,
}

impl Part {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Coalesced => "coalesced",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

impl CacheStatus {
    /// The part that the cache took.
    pub const fn part(&self) -> Part {
        match self {
            Self::Hit { ttl_s: 0.., detail: None } => Part::Hit,
            Self::Hit { .. } | Self::Forward(Forwarded { detail: Some(_), .. }) => Part::Stale,
            Self::Forward(Forwarded { collapsed: true, .. }) => Part::Coalesced,
            Self::Forward(Forwarded { reason: Forward::Bypass, .. }) => Part::Bypass,
            Self::Forward(_) => Part::Miss,
        }
    }
}

impl Serialize for CacheStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
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

impl Detail {
    const fn as_str(self) -> &'static str {
        match self {
            Self::StaleWhileRevalidate => "stale-while-revalidate",
            Self::StaleIfError => "stale-if-error",
        }
    }
}

impl From<Forward> for Forwarded {
    fn from(reason: Forward) -> Self {
        Self { reason, status: None, ttl_s: None, stored: false, collapsed: false, detail: None }
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = match self {
            Self::Hit { ttl_s, detail } => {
                write!(f, "adlib; hit; ttl={ttl_s}")?;
                detail
            }
            Self::Forward(Forwarded { reason, status, ttl_s, stored, collapsed, detail }) => {
                write!(f, "adlib; fwd={}", reason.as_str())?;
                status.map_or(Ok(()), |status| write!(f, "; fwd-status={status}"))?;
                ttl_s.map_or(Ok(()), |ttl_s| write!(f, "; ttl={ttl_s}"))?;
                f.write_str(if *stored { "; stored" } else { "" })?;
                f.write_str(if *collapsed { "; collapsed" } else { "" })?;
                detail
            }
        };
        detail.map_or(Ok(()), |detail| write!(f, "; detail={}", detail.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_a_list_member_of_the_rfc() {
        let forwarded = |reason| Forwarded::from(reason);
        let revalidated = Some(Detail::StaleWhileRevalidate);
        let failed = Forwarded {
            status: Some(503),
            ttl_s: Some(-20),
            detail: Some(Detail::StaleIfError),
            ..Forward::Stale.into()
        };
        for (status, text, part) in [
            (CacheStatus::Hit { ttl_s: 312, detail: None }, "hit; ttl=312", "hit"),
            (CacheStatus::Hit { ttl_s: 0, detail: None }, "hit; ttl=0", "hit"),
            (CacheStatus::Hit { ttl_s: -5, detail: None }, "hit; ttl=-5", "stale"),
            (
                CacheStatus::Hit { ttl_s: -5, detail: revalidated },
                "hit; ttl=-5; detail=stale-while-revalidate",
                "stale",
            ),
            (
                // A soft purge makes an answer stale before its time.
                CacheStatus::Hit { ttl_s: 312, detail: revalidated },
                "hit; ttl=312; detail=stale-while-revalidate",
                "stale",
            ),
            (
                CacheStatus::Forward(Forwarded { stored: true, ..forwarded(Forward::UriMiss) }),
                "fwd=uri-miss; stored",
                "miss",
            ),
            (
                CacheStatus::Forward(Forwarded { collapsed: true, ..forwarded(Forward::UriMiss) }),
                "fwd=uri-miss; collapsed",
                "coalesced",
            ),
            (CacheStatus::Forward(forwarded(Forward::Stale)), "fwd=stale", "miss"),
            (CacheStatus::Forward(forwarded(Forward::Request)), "fwd=request", "miss"),
            (CacheStatus::Forward(forwarded(Forward::Bypass)), "fwd=bypass", "bypass"),
            (
                CacheStatus::Forward(failed),
                "fwd=stale; fwd-status=503; ttl=-20; detail=stale-if-error",
                "stale",
            ),
        ] {
            assert_eq!(status.to_string(), format!("adlib; {text}"));
            assert_eq!(status.part().as_str(), part, "{text}");
        }
    }
}

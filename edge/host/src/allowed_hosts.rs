//! Where a component may send requests to: the manifest's `allowed_outbound_hosts`.
//!
//! An entry is `scheme://host[:port]`. A scheme may be `*`; a host may be `*` or `*.domain`; a port may be `*` or a range
//! `first..end`, its end left out, and without one it is the scheme's own. Everything else is refused.

use std::ops::Range;

use http::Uri;
use thiserror::Error;

/// The entries of a manifest, filled and parsed.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowedHosts(Vec<AllowedHost>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct AllowedHost {
    /// `None` stands for any.
    scheme: Option<String>,
    host: Host,
    ports: Range<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Any,
    /// With its dot in front.
    Below(String),
    Exactly(String),
}

/// Why an entry is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "each message says it")]
pub enum AllowedHostError {
    #[error("it has no scheme: write `scheme://host[:port]`")]
    NoScheme,
    #[error("a scheme is letters, or `*`")]
    Scheme,
    #[error("it has a path")]
    Path,
    #[error("the host is empty, or `*` stands elsewhere than alone or as the first label")]
    Host,
    #[error("this host does not offer requests to itself")]
    ToSelf,
    #[error(
        "the port is no number, no range `first..end` and not `*`, and the scheme has no port of its own"
    )]
    Port,
}

impl AllowedHosts {
    /// Parses filled entries; the index of a refused one comes with the error.
    pub(crate) fn parse<'e>(
        entries: impl IntoIterator<Item = &'e str>,
    ) -> Result<Self, (usize, AllowedHostError)> {
        let parse = |(at, entry)| AllowedHost::parse(entry).map_err(|error| (at, error));
        entries.into_iter().enumerate().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a request may go there.
    pub(crate) fn allow(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return false };
        let Some(port) = uri.port_u16().map(u32::from).or_else(|| port_of(scheme)) else { return false };
        let host = host.to_ascii_lowercase();
        self.0.iter().any(|allowed| {
            allowed.scheme.as_deref().is_none_or(|s| s == scheme)
                && allowed.host.allows(&host)
                && allowed.ports.contains(&port)
        })
    }
}

impl AllowedHost {
    fn parse(entry: &str) -> Result<Self, AllowedHostError> {
        let (scheme, rest) = entry.trim().split_once("://").ok_or(AllowedHostError::NoScheme)?;
        let scheme = match scheme {
            "*" => None,
            s if !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphabetic()) => Some(s.to_ascii_lowercase()),
            _ => return Err(AllowedHostError::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err(AllowedHostError::Path);
        }
        // A colon inside brackets belongs to an IPv6 address.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        Ok(Self { host: Host::parse(host)?, ports: ports(port, scheme.as_deref())?, scheme })
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, AllowedHostError> {
        let text = text.to_ascii_lowercase();
        match text.as_str() {
            "*" => Ok(Self::Any),
            "self" | "self.alt" => Err(AllowedHostError::ToSelf),
            _ => match text.strip_prefix('*') {
                Some(below) if below.len() > 1 && below.starts_with('.') && !below.contains('*') => {
                    Ok(Self::Below(below.into()))
                }
                None if !text.is_empty() && !text.contains('*') => Ok(Self::Exactly(text)),
                _ => Err(AllowedHostError::Host),
            },
        }
    }

    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(domain) => host.ends_with(domain.as_str()) && host.len() > domain.len(),
            Self::Exactly(name) => host == name,
        }
    }
}

fn ports(port: Option<&str>, scheme: Option<&str>) -> Result<Range<u32>, AllowedHostError> {
    let number = |text: &str| text.parse::<u16>().map(u32::from).map_err(|_| AllowedHostError::Port);
    match port {
        Some("*") => Ok(0..u32::from(u16::MAX) + 1),
        Some(range) if range.contains("..") => {
            let (first, end) = range.split_once("..").ok_or(AllowedHostError::Port)?;
            Ok(number(first)?..number(end)?)
        }
        Some(port) => number(port).map(|port| port..port + 1),
        None => scheme.and_then(port_of).map(|port| port..port + 1).ok_or(AllowedHostError::Port),
    }
}

fn port_of(scheme: &str) -> Option<u32> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "redis" | "rediss" => Some(6379),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entry: &str, uri: &str) -> bool {
        AllowedHosts::parse([entry]).unwrap().allow(&uri.parse().unwrap())
    }

    #[test]
    fn scheme_host_and_port_must_all_fit() {
        let entry = "http://127.0.0.1:8080";
        assert!(allows(entry, "http://127.0.0.1:8080/v1/copy?x=1"));
        assert!(!allows(entry, "https://127.0.0.1:8080/"));
        assert!(!allows(entry, "http://127.0.0.1:8081/"));
        assert!(!allows(entry, "http://127.0.0.2:8080/"));
        assert!(!allows(entry, "http://127.0.0.1/"));
        assert!(!AllowedHosts::default().allow(&entry.parse().unwrap()));
    }

    #[test]
    fn a_user_part_does_not_disguise_the_host() {
        assert!(!allows("http://good.example", "http://good.example@evil.example/"));
        assert!(allows("http://good.example", "http://evil.example@good.example/"));
    }

    #[test]
    fn the_port_of_the_scheme_is_the_default_and_ranges_leave_out_their_end() {
        assert!(allows("https://a.example", "https://a.example/"));
        assert!(allows("https://a.example/", "https://A.EXAMPLE:443/"));
        assert!(!allows("https://a.example", "https://a.example:444/"));
        assert!(allows("http://a.example:10..12", "http://a.example:11/"));
        assert!(!allows("http://a.example:10..12", "http://a.example:12/"));
        assert!(allows("*://*:*", "https://anything.example:65535/"));
        assert!(allows("http://[::1]:80", "http://[::1]/"));
    }

    #[test]
    fn a_subdomain_wildcard_is_below_the_domain_only() {
        assert!(allows("http://*.a.example", "http://b.a.example/"));
        assert!(!allows("http://*.a.example", "http://a.example/"));
        assert!(!allows("http://*.a.example", "http://evila.example/"));
    }

    #[test]
    fn broken_entries_are_refused() {
        let error = |entry| AllowedHosts::parse(["http://ok.example", entry]).unwrap_err();
        for (entry, why) in [
            ("a.example", AllowedHostError::NoScheme),
            ("{http,https}://a.example", AllowedHostError::Scheme),
            ("http://a.example/path", AllowedHostError::Path),
            ("http://", AllowedHostError::Host),
            ("http://a.*.example", AllowedHostError::Host),
            ("http://self", AllowedHostError::ToSelf),
            ("http://a.example:65536", AllowedHostError::Port),
            ("http://a.example:x..y", AllowedHostError::Port),
            ("postgres://a.example", AllowedHostError::Port),
        ] {
            assert_eq!(error(entry), (1, why), "{entry}");
        }
    }
}

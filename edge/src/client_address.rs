//! The address a request comes from, coarse enough that one client cannot have many.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;

/// The header in which the runtime names the client.
pub const CLIENT_ADDRESS: &str = "spin-client-addr";

/// An IPv4 address, or the /64 network of an IPv6 address, which is what one customer of a provider is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// Reads the last value of the runtime's header: a client can send values of its own, and the runtime appends.
    /// Requests without a readable address share one.
    pub fn of(headers: &HeaderMap) -> Self {
        let last = headers.get_all(CLIENT_ADDRESS).iter().next_back().and_then(|value| value.to_str().ok());
        last.map(|list| list.rsplit(',').next().unwrap_or(list).trim())
            .and_then(read)
            .map_or(Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), Self::coarse)
    }

    /// Reads an address as an operator writes it; one of IPv6 stands for its network.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::coarse)
    }

    fn coarse(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        })
    }

    /// The address; of a network the first one.
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// The address as bytes that differ for different addresses.
    pub fn octets(self) -> [u8; 16] {
        match self.0 {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        }
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self::coarse(address)
    }
}

/// The address; a network by its first one.
impl std::fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// An address with or without a port.
fn read(text: &str) -> Option<IpAddr> {
    text.parse::<SocketAddr>().map(|socket| socket.ip()).or_else(|_| text.parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> ClientAddress {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CLIENT_ADDRESS, http::HeaderValue::from_static(value));
        }
        ClientAddress::of(&headers)
    }

    #[test]
    fn the_port_does_not_matter() {
        assert_eq!(of(&["192.0.2.1:5000"]), of(&["192.0.2.1:6000"]));
        assert_eq!(of(&["192.0.2.1:5000"]), of(&["192.0.2.1"]));
        assert_ne!(of(&["192.0.2.1:5000"]), of(&["192.0.2.2:5000"]));
    }

    #[test]
    fn what_the_client_sent_itself_does_not_matter() {
        assert_eq!(of(&["203.0.113.9:1", "192.0.2.1:5000"]), of(&["192.0.2.1:1"]));
        assert_eq!(of(&["203.0.113.9:1, 192.0.2.1:5000"]), of(&["192.0.2.1:1"]));
    }

    #[test]
    fn a_network_of_64_bits_is_one_client() {
        assert_eq!(of(&["[2001:db8:1:2::1]:80"]), of(&["[2001:db8:1:2:ffff::9]:81"]));
        assert_ne!(of(&["[2001:db8:1:2::1]:80"]), of(&["[2001:db8:1:3::1]:80"]));
        assert_eq!(of(&["[::ffff:192.0.2.1]:80"]), of(&["192.0.2.1:80"]));
    }

    #[test]
    fn no_address_and_nonsense_are_one_client() {
        assert_eq!(of(&[]), of(&["nonsense"]));
    }
}

//! What callers may take, and who is left out of it.

use std::net::IpAddr;

use adlib_shared::key::KeyLimits;
use ipnet::IpNet;

use super::{SettingsError, invalid};
use crate::client_address::ClientAddress;

/// Longest list of networks.
pub const NETWORKS_MAX: usize = 256;

/// The limits; `None` for no limit.
#[derive(Debug)]
pub struct Limits {
    /// Requests a minute and key.
    pub rate_per_minute: Option<u32>,
    /// Requests a minute and tenant, with all of its keys.
    pub tenant_rate_per_minute: Option<u32>,
    /// Requests a minute and address, with any key.
    pub address_rate_per_minute: Option<u32>,
    /// Tokens a minute and key.
    pub tokens_per_minute: Option<u32>,
    /// Answers of the origin at once and key.
    pub streams_max: Option<u32>,
    /// Failed authentications a minute and address.
    pub failures_per_minute: Option<u32>,
    /// Strikes before a block.
    pub strikes_max: Option<u32>,
    /// The networks that are neither limited nor blocked.
    pub allowed_networks: Networks,
}

impl Limits {
    /// Reads the variables of the limits.
    pub(super) fn parse(
        rate: impl Fn(&'static str) -> Result<Option<u32>, SettingsError>,
        allowed_networks: Networks,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            rate_per_minute: rate("rate_per_minute")?,
            tenant_rate_per_minute: rate("tenant_rate_per_minute")?,
            address_rate_per_minute: rate("address_rate_per_minute")?,
            tokens_per_minute: rate("tokens_per_minute")?,
            streams_max: rate("streams_max")?,
            failures_per_minute: rate("failures_per_minute")?,
            strikes_max: rate("strikes_max")?,
            allowed_networks,
        })
    }

    /// Requests a minute of a key with these limits.
    pub fn rate_of(&self, key: &KeyLimits) -> Option<u32> {
        own_or(key.rate_per_minute, self.rate_per_minute)
    }

    /// Tokens a minute of a key with these limits.
    pub fn tokens_of(&self, key: &KeyLimits) -> Option<u32> {
        own_or(key.tokens_per_minute, self.tokens_per_minute)
    }

    /// Answers of the origin at once of a key with these limits.
    pub fn streams_of(&self, key: &KeyLimits) -> Option<u32> {
        own_or(key.streams_max, self.streams_max)
    }
}

/// A key's own limit, where 0 is none, goes before the deployment's.
fn own_or(own: Option<u32>, general: Option<u32>) -> Option<u32> {
    own.map_or(general, |own| Some(own).filter(|own| *own > 0))
}

/// A list of networks.
#[derive(Debug, Default)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Reads addresses and networks such as `192.0.2.0/24` or `2001:db8::/32`, separated by commas.
    pub(super) fn parse(name: &'static str, list: &str) -> Result<Self, SettingsError> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let read = |entry: &str| {
            entry.parse::<IpNet>().ok().or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from))
        };
        let networks: Option<Vec<IpNet>> = entries.map(read).collect();
        let networks = networks.filter(|networks| networks.len() <= NETWORKS_MAX);
        networks.map(Self).ok_or_else(|| {
            let wrong = format!("is not a list of at most {NETWORKS_MAX} networks such as 192.0.2.0/24");
            invalid(name, list, wrong)
        })
    }

    /// Whether an address lies in one of them. A client of IPv6 is its network of 64 bits, so a network that is
    /// smaller than that holds the whole of it.
    pub fn contain(&self, address: ClientAddress) -> bool {
        self.0.iter().any(|network| match network {
            IpNet::V6(v6) if v6.prefix_len() > 64 => ClientAddress::from(IpAddr::V6(v6.addr())) == address,
            network => network.contains(&address.ip()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_their_networks() {
        let networks =
            Networks::parse("allowed_networks", "192.0.2.0/24, 198.51.100.7,2001:db8:1::/48,2001:db8:2:3::5")
                .expect("networks");
        for (address, is_in) in [
            ("192.0.2.0", true),
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("::ffff:192.0.2.9", true),
            ("2001:db8:1:ffff::1", true),
            ("2001:db8:2::1", false),
            ("2001:db8:2:3::9", true),
        ] {
            let client = ClientAddress::parse(address).expect("an address");
            assert_eq!(networks.contain(client), is_in, "{address}");
        }
        let nobody = ClientAddress::of(&http::HeaderMap::new());
        assert!(!Networks::parse("allowed_networks", "").expect("none").contain(nobody));
    }

    #[test]
    fn what_is_no_network_and_a_list_that_is_too_long_are_refused() {
        let parse = |list: &str| Networks::parse("allowed_networks", list);
        for list in ["192.0.2.0/33", "example.com", "192.0.2.1-9", "10.0.0.0/8 192.0.2.1"] {
            assert!(parse(list).is_err(), "{list}");
        }
        assert!(parse(&vec!["10.0.0.1"; NETWORKS_MAX].join(",")).is_ok());
        assert!(parse(&vec!["10.0.0.1"; NETWORKS_MAX + 1].join(",")).is_err());
    }
}

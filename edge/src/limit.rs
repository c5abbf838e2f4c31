//! What limits count, and what a reply says about them.

mod headers;

use adlib_shared::key::KeyId;
use adlib_shared::rate::Gcra;

pub use self::headers::mark;
use crate::block::Subject;
use crate::client_address::ClientAddress;

/// The period of every rate, in milliseconds.
pub const PERIOD_MS: u64 = 60_000;

/// What is counted, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meter {
    /// The requests of a key.
    Key(KeyId),
    /// The requests of a tenant, with all of its keys.
    Tenant(String),
    /// The requests from an address, with any key.
    Address(ClientAddress),
    /// The tokens that the origin reads and writes for a key.
    Tokens(KeyId),
    /// Failed authentications of an address.
    Failures(ClientAddress),
    /// What a subject did wrong.
    Strikes(Subject),
}

impl Meter {
    /// What replies call the limit.
    pub const fn policy(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Tenant(_) => "tenant",
            Self::Address(_) => "address",
            Self::Tokens(_) => "tokens",
            Self::Failures(_) => "failures",
            Self::Strikes(_) => "strikes",
        }
    }

    /// What is counted, where it is not requests. The registry of the draft has no name for tokens yet.
    pub const fn unit(&self) -> Option<&'static str> {
        match self {
            Self::Tokens(_) => Some("tokens"),
            _ => None,
        }
    }
}

/// A limit, and how much of it one request takes. One that takes nothing only finds out what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub meter: Meter,
    /// How much there is.
    pub gcra: Gcra,
    /// How much of it is taken.
    pub cost: u32,
}

/// What is counted, as a name that is nobody else's.
impl std::fmt::Display for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(id) => write!(f, "rate/key/{id}"),
            Self::Tenant(tenant) => write!(f, "rate/tenant/{tenant}"),
            Self::Address(address) => write!(f, "rate/address/{address}"),
            Self::Tokens(id) => write!(f, "tokens/key/{id}"),
            Self::Failures(address) => write!(f, "failures/address/{address}"),
            Self::Strikes(subject) => write!(f, "strikes/{}", subject.name()),
        }
    }
}

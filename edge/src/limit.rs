//! What limits count, and what a reply says about them.

mod headers;

use adlib_shared::api_key::KeyHash;
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
    Key(KeyHash),
    /// Failed authentications of an address.
    Failures(ClientAddress),
    /// What a subject did wrong.
    Strikes(Subject),
}

/// A limit, and how much of it one request takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub meter: Meter,
    /// How much there is.
    pub gcra: Gcra,
    /// How much of it is taken.
    pub cost: u32,
}

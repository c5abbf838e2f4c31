//! The key that this machine's user calls the edge with.

use adlib_shared::api_key::{ApiKey, Kind};

use crate::error::Error;
use crate::key;
use crate::state::State;

/// The tenant, the name and the scopes that the key stands for: whoever develops may do everything.
const OWNER: &str = "development:cargo-dev:copy+check+jobs+admin";

/// A key made once and kept in the state folder, with the secret that its hash is made with.
pub(super) struct DevelopmentKey {
    key: ApiKey,
    pepper: String,
}

impl DevelopmentKey {
    pub(super) fn of(state: &State) -> Result<Self, Error> {
        let valid = |text: &str| ApiKey::parse(text).is_ok();
        let make = |random: [u8; 16]| ApiKey::generate(Kind::Test, random).expose().to_owned();
        let text = state.kept("development-key", "an API key", valid, make)?;
        let key = ApiKey::parse(&text).expect("a text that is kept is valid");
        Ok(Self { key, pepper: state.secret("pepper")? })
    }

    /// As a client sends it.
    pub(super) fn text(&self) -> &str {
        self.key.expose()
    }

    pub(super) fn pepper(&self) -> &str {
        &self.pepper
    }

    /// The key's entry in the edge's variable `api_keys`.
    pub(super) fn entry(&self) -> String {
        key::entry(&self.key, &self.pepper, OWNER)
    }
}

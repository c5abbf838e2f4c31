//! The scripts that run in Redis, each at one stroke.
//!
//! They go by Redis's clock, since those of the nodes differ, and touch only the keys that they are given.

use std::cell::OnceCell;

use data_encoding::HEXLOWER;
use sha1::{Digest, Sha1};

/// A script, and the name under which the server knows it once it has run.
pub(super) struct Script {
    pub(super) text: &'static str,
    digest: OnceCell<String>,
}

impl Script {
    const fn new(text: &'static str) -> Self {
        Self { text, digest: OnceCell::new() }
    }

    /// SHA-1 of the text in hexadecimal digits, as `EVALSHA` takes it.
    pub(super) fn digest(&self) -> &str {
        self.digest.get_or_init(|| HEXLOWER.encode(&Sha1::digest(self.text)))
    }
}

/// All scripts.
pub(super) struct Scripts {
    pub(super) visit: Script,
    pub(super) settle: Script,
    pub(super) strike: Script,
    pub(super) block: Script,
    pub(super) unblock: Script,
    pub(super) keep: Script,
    pub(super) acquire: Script,
    pub(super) release: Script,
    pub(super) count: Script,
    pub(super) add_key: Script,
    pub(super) change_secrets: Script,
    pub(super) remove_key: Script,
}

impl Scripts {
    pub(super) const fn new() -> Self {
        Self {
            visit: Script::new(concat!(
                include_str!("clock.lua"),
                include_str!("lease.lua"),
                include_str!("visit.lua")
            )),
            settle: Script::new(concat!(include_str!("clock.lua"), include_str!("settle.lua"))),
            strike: Script::new(concat!(include_str!("clock.lua"), include_str!("strike.lua"))),
            block: Script::new(concat!(include_str!("clock.lua"), include_str!("block.lua"))),
            unblock: Script::new(concat!(include_str!("clock.lua"), include_str!("unblock.lua"))),
            keep: Script::new(concat!(include_str!("clock.lua"), include_str!("keep.lua"))),
            acquire: Script::new(concat!(
                include_str!("clock.lua"),
                include_str!("lease.lua"),
                include_str!("acquire.lua")
            )),
            release: Script::new(include_str!("release.lua")),
            count: Script::new(include_str!("count.lua")),
            add_key: Script::new(include_str!("add_key.lua")),
            change_secrets: Script::new(include_str!("change_secrets.lua")),
            remove_key: Script::new(include_str!("remove_key.lua")),
        }
    }
}

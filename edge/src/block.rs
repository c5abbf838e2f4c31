//! Who is shut out for a while, and for how long.

use adlib_shared::key::KeyId;
use serde::{Deserialize, Serialize};

use crate::client_address::ClientAddress;

/// The first block of somebody lasts so long, in milliseconds: a minute.
pub const BLOCK_MS_MIN: u64 = 60_000;
/// No block by strikes lasts longer, in milliseconds: a day.
pub const BLOCK_MS_MAX: u64 = 24 * 3_600_000;
/// After so long without a block the next one is half as long, in milliseconds: an hour.
pub const DECAY_MS: u64 = 3_600_000;
/// The level at which doubling has passed a day: 2^11 minutes.
pub const LEVEL_MAX: u32 = 11;

/// Somebody who can be blocked. A key and the addresses that it comes from are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A key.
    Key(KeyId),
    /// An address, or a network of them.
    Address(ClientAddress),
}

impl Subject {
    /// The subject's name: `key/<id>` or `address/<address>`.
    pub fn name(&self) -> String {
        match self {
            Self::Key(id) => format!("key/{id}"),
            Self::Address(address) => format!("address/{address}"),
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        match name.split_once('/')? {
            ("key", id) => KeyId::parse(id).map(Self::Key),
            ("address", address) => ClientAddress::parse(address).map(Self::Address),
            _ => None,
        }
    }
}

/// One block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// When it ends, in milliseconds since 1970.
    pub until_ms: u64,
    /// How often it has doubled; 0 where somebody blocked by hand.
    pub level: u32,
}

impl Block {
    /// Whether it holds at this time.
    pub const fn holds(&self, now_ms: u64) -> bool {
        self.until_ms > now_ms
    }

    /// Whether it still counts for the length of the next one.
    pub fn is_remembered(&self, now_ms: u64) -> bool {
        now_ms < self.until_ms.saturating_add(u64::from(self.level) * DECAY_MS)
    }

    /// The block that follows the last one of the same subject, if there was one: twice as long, less what has
    /// decayed since the last one ended.
    pub fn after(last: Option<Self>, now_ms: u64) -> Self {
        let level = last.map_or(0, |last| {
            let decayed = now_ms.saturating_sub(last.until_ms) / DECAY_MS;
            (u64::from(last.level) + 1).saturating_sub(decayed).min(u64::from(LEVEL_MAX)) as u32
        });
        let lasts_ms = (BLOCK_MS_MIN << level).min(BLOCK_MS_MAX);
        Self { until_ms: now_ms + lasts_ms, level }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;

    #[test]
    fn a_block_lasts_a_minute_then_twice_as_long_each_time_up_to_a_day() {
        let (mut last, mut now_ms) = (None, NOW_MS);
        let mut lasted = Vec::new();
        for _ in 0..14 {
            let block = Block::after(last, now_ms);
            lasted.push((block.until_ms - now_ms) / 60_000);
            assert!(block.holds(block.until_ms - 1) && !block.holds(block.until_ms));
            (last, now_ms) = (Some(block), block.until_ms);
        }
        assert_eq!(lasted, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440, 1440, 1440]);
    }

    #[test]
    fn an_hour_without_a_block_takes_one_doubling_back() {
        let last = Block { until_ms: NOW_MS, level: 3 };
        for (hours, level) in [(0, 4), (1, 3), (2, 2), (4, 0), (5, 0)] {
            for past_ms in [0, DECAY_MS - 1] {
                assert_eq!(Block::after(Some(last), NOW_MS + hours * DECAY_MS + past_ms).level, level);
            }
        }
        assert!(last.is_remembered(NOW_MS + 3 * DECAY_MS - 1) && !last.is_remembered(NOW_MS + 3 * DECAY_MS));
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let key = format!("key/{}", "0f".repeat(8));
        for name in [key.as_str(), "address/192.0.2.1", "address/2001:db8:1:2::"] {
            assert_eq!(Subject::parse(name).map(|subject| subject.name()).as_deref(), Some(name));
        }
        for name in ["", "key", "key/", "key/12", "address/nowhere", "address/", "tenant/acme"] {
            assert_eq!(Subject::parse(name), None, "{name}");
        }
    }
}

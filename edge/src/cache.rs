//! Answers that were given before, in the key-value store.
//!
//! The store has neither a time to live nor a size limit, so the cache brings its own: an entry says how long it is
//! fresh and is deleted when it is found expired, and entries lie in a fixed number of slots. A slot holds the last
//! entry that fell into it; the entry's full key tells whether it is the one that was asked for.

mod codec;
mod directives;
mod entry;
mod status;

pub use self::directives::Directives;
pub use self::entry::{COMPRESS_OVER_BYTES, ENTRY_BODY_BYTES_MAX, Entry, EntryError};
pub use self::status::{CacheStatus, Forward};
use crate::world::{StoreError, World};

/// How many entries there can be: with 10,000 of them alive, one new entry in a hundred takes another's slot.
pub const SLOTS: u32 = 1 << 20;
/// How far ahead of this clock an entry may have been made, in seconds, by another instance's clock.
pub const CLOCK_SKEW_S_MAX: u64 = 60;

/// What a look-up found.
#[derive(Debug)]
pub enum Found {
    /// An answer that the request accepts.
    Hit {
        /// The stored answer.
        entry: Entry,
        /// Seconds since it was made.
        age_s: u64,
        /// Seconds for which it stays fresh; negative if it has expired and the request takes it all the same.
        ttl_s: i64,
    },
    /// Nothing that the request accepts.
    Miss(Forward),
}

/// The name of a key's slot in the store.
fn slot(key: &[u8; 32]) -> String {
    let [first, second, third, ..] = *key;
    format!("copy/{:05x}", u32::from_be_bytes([0, first, second, third]) % SLOTS)
}

/// Looks an answer up. A corrupt or expired entry is deleted.
///
/// # Errors
/// The store's; the caller goes forward then as for a miss.
pub async fn look_up<W: World>(
    world: &W,
    key: &[u8; 32],
    directives: &Directives,
    ttl_s: u64,
    now_s: u64,
) -> Result<Found, StoreError> {
    if directives.no_cache {
        return Ok(Found::Miss(Forward::Request));
    }
    let slot = slot(key);
    let Some(bytes) = world.get(&slot).await? else { return Ok(Found::Miss(Forward::UriMiss)) };
    let usable = Entry::open(&bytes).ok().filter(|entry| entry.created_s <= now_s + CLOCK_SKEW_S_MAX);
    let Some(entry) = usable else {
        world.delete(&slot).await?;
        return Ok(Found::Miss(Forward::UriMiss));
    };
    if entry.key != *key {
        return Ok(Found::Miss(Forward::UriMiss));
    }
    let age_s = now_s.saturating_sub(entry.created_s);
    // A time to live that was shortened since holds for what is already stored.
    let ttl_s = ttl_s.min(entry.ttl_s.into());
    if directives.accept(age_s, ttl_s) {
        let ttl_s = ttl_s.cast_signed().saturating_sub_unsigned(age_s);
        return Ok(Found::Hit { entry, age_s, ttl_s });
    }
    if age_s < ttl_s {
        return Ok(Found::Miss(Forward::Request));
    }
    world.delete(&slot).await?;
    Ok(Found::Miss(Forward::Stale))
}

/// Stores a sealed answer in its key's slot.
///
/// # Errors
/// The store's.
pub async fn store<W: World>(world: &W, key: &[u8; 32], sealed: &[u8]) -> Result<(), StoreError> {
    world.set(&slot(key), sealed).await
}

/// Deletes what is stored under a key.
///
/// # Errors
/// The store's.
pub async fn delete<W: World>(world: &W, key: &[u8; 32]) -> Result<(), StoreError> {
    world.delete(&slot(key)).await
}

#[cfg(test)]
mod tests;

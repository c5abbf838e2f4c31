//! Answers that were given before.
//!
//! Not every store has a time to live, so the cache brings its own: an entry says how long it is fresh and is dropped
//! when it is found expired. Its full key tells whether it is the one that was asked for, since entries may share a place.

mod codec;
mod directives;
mod entry;
mod status;

pub use self::directives::Directives;
pub use self::entry::{COMPRESS_OVER_BYTES, ENTRY_BODY_BYTES_MAX, Entry, EntryError};
pub use self::status::{CacheStatus, Forward};
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

/// Judges what was stored, and says whether it is of no use to anyone any more.
pub fn judge(
    stored: Option<&[u8]>,
    key: &[u8; 32],
    directives: &Directives,
    ttl_s: u64,
    now_s: u64,
) -> (Found, bool) {
    if directives.no_cache {
        return (Found::Miss(Forward::Request), false);
    }
    let Some(bytes) = stored else { return (Found::Miss(Forward::UriMiss), false) };
    let usable = Entry::open(bytes).ok().filter(|entry| entry.created_s <= now_s + CLOCK_SKEW_S_MAX);
    let Some(entry) = usable else { return (Found::Miss(Forward::UriMiss), true) };
    if entry.key != *key {
        return (Found::Miss(Forward::UriMiss), false);
    }
    let age_s = now_s.saturating_sub(entry.created_s);
    // A time to live that was shortened since holds for what is already stored.
    let ttl_s = ttl_s.min(entry.ttl_s.into());
    if directives.accept(age_s, ttl_s) {
        let ttl_s = ttl_s.cast_signed().saturating_sub_unsigned(age_s);
        return (Found::Hit { entry, age_s, ttl_s }, false);
    }
    if age_s < ttl_s { (Found::Miss(Forward::Request), false) } else { (Found::Miss(Forward::Stale), true) }
}

#[cfg(test)]
mod tests;

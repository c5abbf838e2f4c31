//! Answers that were given before.
//!
//! The key-value store has neither a time to live nor a size limit, so the cache brings its own: an entry says how long it
//! is fresh, and lies in one of a fixed number of slots. A slot holds the last entry that fell into it; the entry's full
//! key and its scope tell whether it is the one that was asked for, and its epochs whether it was purged since.

mod codec;
mod directives;
mod entry;
mod epochs;
mod freshness;
mod hot;
mod status;

pub use self::directives::Directives;
pub use self::entry::{COMPRESS_OVER_BYTES, ENTRY_BODY_BYTES_MAX, Entry, EntryError, Kind, Stamp};
pub use self::epochs::Epochs;
pub use self::freshness::{JITTER_DIVISOR, Lifetime, REFUSAL_TTL_S, Standing};
pub use self::hot::{HOT_BYTES_MAX, HOT_MS_MAX, Hot};
pub use self::status::{CacheStatus, Detail, Forward, Forwarded, Part};

use std::rc::Rc;

/// How far ahead of this clock an entry may have been made, in seconds, by another instance's clock.
pub const CLOCK_SKEW_S_MAX: u64 = 60;

/// What is asked of the cache.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The key.
    pub key: &'a [u8; 32],
    /// Whose answer it has to be.
    pub scope: &'a str,
    /// The epochs that are current.
    pub epochs: Epochs,
    /// How long answers under this key serve.
    pub lifetime: Lifetime,
    /// What the request wants.
    pub directives: Directives,
    /// The time, in seconds since 1970.
    pub now_s: u64,
}

/// A stored answer, and how it stands towards time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The answer.
    pub entry: Rc<Entry>,
    /// Its standing.
    pub standing: Standing,
}

/// What became of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An answer that the request accepts.
    Hit(Held),
    /// A stale answer that may be given while another one is written.
    Stale(Held),
    /// Nothing that can be given now.
    Miss {
        /// Why.
        reason: Forward,
        /// A stale answer that may be given if the origin fails.
        fallback: Option<Held>,
    },
    /// Nothing, and what is stored can never be of use again.
    Useless(Forward),
}

impl Question<'_> {
    /// What the stored bytes are good for.
    pub fn judge(&self, bytes: Option<&[u8]>) -> Found {
        if self.directives.no_cache {
            return miss(Forward::Request);
        }
        let Some(bytes) = bytes else { return miss(Forward::UriMiss) };
        match Entry::open(bytes) {
            Ok(entry) => self.judge_entry(Rc::new(entry)),
            Err(_) => Found::Useless(Forward::UriMiss),
        }
    }

    /// What an entry is good for.
    pub fn judge_entry(&self, entry: Rc<Entry>) -> Found {
        let stamp = &entry.stamp;
        if stamp.created_s > self.now_s.saturating_add(CLOCK_SKEW_S_MAX) {
            return Found::Useless(Forward::UriMiss);
        }
        // Of other epochs than this instance knows may as well be a newer entry, so it is left where it is.
        if stamp.key != *self.key || stamp.scope != self.scope || stamp.epochs.hard != self.epochs.hard {
            return miss(Forward::UriMiss);
        }
        let standing = Standing {
            age_s: self.now_s.saturating_sub(stamp.created_s),
            // A time to live that was shortened since holds for what is already stored.
            ttl_s: self.lifetime.ttl_s.min(stamp.ttl_s.into()),
            is_outdated: stamp.epochs.soft != self.epochs.soft,
        };
        self.weigh(Held { entry, standing })
    }

    fn weigh(&self, held: Held) -> Found {
        let Held { entry, standing } = &held;
        let (standing, is_refusal) = (*standing, entry.kind == Kind::Refusal);
        if self.directives.accept(standing) && (standing.is_fresh() || !is_refusal) {
            return Found::Hit(held);
        }
        if standing.is_fresh() {
            return miss(Forward::Request);
        }
        let stale_for_s = standing.stale_for_s();
        let Lifetime { while_revalidate_s, if_error_s, .. } = self.lifetime;
        let within = |window_s: u64| stale_for_s < window_s;
        if is_refusal || !within(while_revalidate_s.max(if_error_s)) {
            return Found::Useless(Forward::Stale);
        }
        let ours = self.directives.leaves_staleness_to_us();
        if ours && within(while_revalidate_s) {
            return Found::Stale(held);
        }
        Found::Miss { reason: Forward::Stale, fallback: Some(held).filter(|_| ours && within(if_error_s)) }
    }
}

const fn miss(reason: Forward) -> Found {
    Found::Miss { reason, fallback: None }
}

#[cfg(test)]
mod tests;

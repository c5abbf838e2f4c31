//! How long an answer serves: fresh, then stale while another one is written or while the origin fails.

/// A time to live is shortened by up to this part, differently for each key, so that what was stored together does not
/// expire together.
pub const JITTER_DIVISOR: u64 = 10;
/// Seconds that a refusal is kept at least and at most, by its key.
pub const REFUSAL_TTL_S: (u64, u64) = (30, 60);

/// How long the answers of one key serve, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Fresh.
    pub ttl_s: u64,
    /// Beyond that, while another one is written (RFC 5861, section 3).
    pub while_revalidate_s: u64,
    /// Beyond that, while the origin fails (RFC 5861, section 4).
    pub if_error_s: u64,
}

impl Lifetime {
    /// The lifetime for one key: the same whenever it is asked for.
    #[must_use]
    pub fn of_key(self, key: &[u8; 32]) -> Self {
        Self { ttl_s: self.ttl_s - share(self.ttl_s / JITTER_DIVISOR, key), ..self }
    }

    /// How long a refusal under this key is fresh. It is never served stale.
    pub fn of_refusal(self, key: &[u8; 32]) -> u64 {
        let (least, most) = REFUSAL_TTL_S;
        (most - share(most - least, key)).min(self.ttl_s)
    }

    /// For how long an answer can be of any use.
    pub fn keep_s(self) -> u64 {
        self.ttl_s.saturating_add(self.while_revalidate_s.max(self.if_error_s))
    }
}

/// A part of `whole`, from none to all of it, that the last bytes of a key choose.
fn share(whole: u64, key: &[u8; 32]) -> u64 {
    let [.., high, low] = *key;
    let chosen = u64::from(u16::from_be_bytes([high, low]));
    whole * chosen / u64::from(u16::MAX)
}

/// An entry, and how it stands towards time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Seconds since it was made.
    pub age_s: u64,
    /// Seconds that it is fresh in all.
    pub ttl_s: u64,
    /// Whether it was purged softly since it was made.
    pub is_outdated: bool,
}

impl Standing {
    /// Whether it is fresh.
    pub const fn is_fresh(self) -> bool {
        !self.is_outdated && self.age_s < self.ttl_s
    }

    /// Seconds for which it stays fresh.
    pub const fn fresh_for_s(self) -> u64 {
        if self.is_outdated { 0 } else { self.ttl_s.saturating_sub(self.age_s) }
    }

    /// Seconds since it expired.
    pub const fn stale_for_s(self) -> u64 {
        self.age_s.saturating_sub(self.ttl_s)
    }

    /// Seconds that it stays fresh, negative where it has expired: `ttl` of `Cache-Status`.
    pub const fn left_s(self) -> i64 {
        self.fresh_for_s().cast_signed().saturating_sub_unsigned(self.stale_for_s())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Lifetime = Lifetime { ttl_s: 7200, while_revalidate_s: 60, if_error_s: 600 };

    fn key(last: u16) -> [u8; 32] {
        let mut key = [9; 32];
        key[30..].copy_from_slice(&last.to_be_bytes());
        key
    }

    #[test]
    fn a_time_to_live_is_shortened_by_a_tenth_at_most_and_always_the_same_for_a_key() {
        for (last, ttl_s, refusal_s) in [(0, 7200, 60), (u16::MAX / 2, 6841, 46), (u16::MAX, 6480, 30)] {
            let lifetime = LIFETIME.of_key(&key(last));
            assert_eq!((lifetime.ttl_s, LIFETIME.of_refusal(&key(last))), (ttl_s, refusal_s), "{last}");
            assert_eq!(lifetime, LIFETIME.of_key(&key(last)));
        }
        let short = Lifetime { ttl_s: 9, ..LIFETIME };
        assert_eq!((short.of_key(&key(u16::MAX)).ttl_s, short.of_refusal(&key(0))), (9, 9));
    }

    #[test]
    fn an_answer_is_kept_for_the_longer_of_its_stale_times() {
        assert_eq!(LIFETIME.keep_s(), 7800);
        assert_eq!(Lifetime { while_revalidate_s: 900, ..LIFETIME }.keep_s(), 8100);
    }

    #[test]
    fn what_was_purged_softly_is_stale_but_not_older() {
        let fresh = Standing { age_s: 10, ttl_s: 100, is_outdated: false };
        let purged = Standing { is_outdated: true, ..fresh };
        assert_eq!((fresh.is_fresh(), fresh.fresh_for_s(), fresh.left_s()), (true, 90, 90));
        assert_eq!((purged.is_fresh(), purged.fresh_for_s(), purged.left_s()), (false, 0, 0));
        let expired = Standing { age_s: 130, ..fresh };
        assert_eq!((expired.is_fresh(), expired.stale_for_s(), expired.left_s()), (false, 30, -30));
    }
}

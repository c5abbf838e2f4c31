//! What the client wants of the cache: `Cache-Control` of a request (RFC 9111, section 5.2.1).

use http::HeaderMap;
use http::header::{CACHE_CONTROL, PRAGMA};

use super::freshness::Standing;

/// The directives of a request. Those that are not known are ignored, as the RFC asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Directives {
    /// The answer has to come from the origin.
    pub no_cache: bool,
    /// The answer must not be kept; it is not looked up either.
    pub no_store: bool,
    /// The answer has to come from the cache.
    pub only_if_cached: bool,
    /// Greatest age of an answer, in seconds.
    pub max_age_s: Option<u64>,
    /// Seconds for which the answer has to stay fresh.
    pub min_fresh_s: Option<u64>,
    /// Seconds for which the answer may have been stale.
    pub max_stale_s: Option<u64>,
}

impl Directives {
    /// Reads all `Cache-Control` headers; `Pragma: no-cache` counts where there is none.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for value in headers.get_all(CACHE_CONTROL) {
            let items = value.as_bytes().split(|&byte| byte == b',');
            items
                .filter_map(|item| std::str::from_utf8(item).ok())
                .for_each(|item| directives.add(item.trim()));
        }
        if !headers.contains_key(CACHE_CONTROL)
            && headers.get(PRAGMA).is_some_and(|value| value == "no-cache")
        {
            directives.no_cache = true;
        }
        directives
    }

    /// Takes one directive in. Of a number that is given twice the stricter one counts; a number that cannot be
    /// read is taken as the strictest.
    fn add(&mut self, item: &str) {
        let (name, value) = item.split_once('=').map_or((item, None), |(name, value)| (name, Some(value)));
        let seconds = value.map(|value| value.trim_matches('"'));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-cache" => self.no_cache = true,
            "no-store" => self.no_store = true,
            "only-if-cached" => self.only_if_cached = true,
            "max-age" => {
                let most = delta_seconds(seconds).unwrap_or(0);
                self.max_age_s = Some(self.max_age_s.map_or(most, |other| other.min(most)));
            }
            "min-fresh" => {
                let least = delta_seconds(seconds).unwrap_or(u64::MAX);
                self.min_fresh_s = Some(self.min_fresh_s.map_or(least, |other| other.max(least)));
            }
            "max-stale" => {
                // Without a number any staleness will do.
                let most = if value.is_none() { u64::MAX } else { delta_seconds(seconds).unwrap_or(0) };
                self.max_stale_s = Some(self.max_stale_s.map_or(most, |other| other.min(most)));
            }
            _ => {}
        }
    }

    /// Whether a stored answer of this standing may be given.
    pub fn accept(&self, standing: Standing) -> bool {
        !self.no_cache
            && !self.no_store
            && self.max_age_s.is_none_or(|most| standing.age_s <= most)
            && self.min_fresh_s.is_none_or(|least| standing.fresh_for_s() >= least)
            && (standing.is_fresh() || self.max_stale_s.is_some_and(|most| standing.stale_for_s() <= most))
    }

    /// Whether the operator's rules for stale answers hold for this request. A client that bounds age or freshness, or
    /// says itself how stale an answer may be, does not want them (RFC 9111, section 5.2.1).
    pub const fn leaves_staleness_to_us(&self) -> bool {
        !self.no_cache
            && !self.no_store
            && self.max_age_s.is_none()
            && self.min_fresh_s.is_none()
            && self.max_stale_s.is_none()
    }
}

/// Seconds as RFC 9111, section 1.2.2, writes them; a number too great to hold stands for the greatest.
fn delta_seconds(text: Option<&str>) -> Option<u64> {
    let digits = text?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> Directives {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CACHE_CONTROL, http::HeaderValue::from_static(value));
        }
        Directives::of(&headers)
    }

    #[test]
    fn each_directive_is_read() {
        let none = Directives::default();
        for (text, expected) in [
            ("no-cache", Directives { no_cache: true, ..none }),
            ("No-Store", Directives { no_store: true, ..none }),
            ("only-if-cached", Directives { only_if_cached: true, ..none }),
            ("max-age=60", Directives { max_age_s: Some(60), ..none }),
            ("max-age=\"60\"", Directives { max_age_s: Some(60), ..none }),
            ("min-fresh=5", Directives { min_fresh_s: Some(5), ..none }),
            ("max-stale", Directives { max_stale_s: Some(u64::MAX), ..none }),
            ("max-stale=9", Directives { max_stale_s: Some(9), ..none }),
            ("no-transform, private, x=y", none),
            ("", none),
        ] {
            assert_eq!(of(&[text]), expected, "{text}");
        }
    }

    #[test]
    fn directives_add_up_over_headers_and_the_stricter_number_counts() {
        let both = of(&["max-age=60, no-cache", "max-age=10"]);
        assert!(both.no_cache && both.max_age_s == Some(10));
        assert_eq!(of(&["max-age=sixty"]).max_age_s, Some(0));
        assert_eq!(of(&["max-age=99999999999999999999999"]).max_age_s, Some(u64::MAX));
        assert_eq!(of(&["min-fresh=-1"]).min_fresh_s, Some(u64::MAX));
    }

    #[test]
    fn pragma_counts_only_without_cache_control() {
        let mut headers = HeaderMap::from_iter([(PRAGMA, http::HeaderValue::from_static("no-cache"))]);
        assert!(Directives::of(&headers).no_cache);
        headers.insert(CACHE_CONTROL, http::HeaderValue::from_static("max-age=1"));
        assert!(!Directives::of(&headers).no_cache);
    }

    #[test]
    fn an_answer_is_accepted_up_to_each_bound_and_not_beyond() {
        for (text, age_s, accepted) in [
            ("", 99, true),
            ("", 100, false),
            ("max-age=50", 50, true),
            ("max-age=50", 51, false),
            ("min-fresh=10", 90, true),
            ("min-fresh=10", 91, false),
            ("max-stale=10", 110, true),
            ("max-stale=10", 111, false),
            ("max-stale", 5000, true),
            ("no-cache", 0, false),
            ("no-store", 0, false),
        ] {
            let standing = Standing { age_s, ttl_s: 100, is_outdated: false };
            assert_eq!(Directives::of(&of_map(text)).accept(standing), accepted, "{text:?} at {age_s}");
        }
    }

    #[test]
    fn what_was_purged_softly_is_taken_only_by_those_who_take_stale_answers() {
        let purged = Standing { age_s: 10, ttl_s: 100, is_outdated: true };
        for (text, accepted) in [
            ("", false),
            ("max-age=50", false),
            ("min-fresh=1", false),
            ("max-stale", true),
            ("max-stale=0", true),
        ] {
            assert_eq!(Directives::of(&of_map(text)).accept(purged), accepted, "{text:?}");
        }
    }

    #[test]
    fn who_says_what_to_accept_is_not_given_anything_else() {
        for (text, ours) in [
            ("", true),
            ("only-if-cached", true),
            ("no-cache", false),
            ("no-store", false),
            ("max-age=9", false),
            ("min-fresh=9", false),
            ("max-stale=9", false),
        ] {
            assert_eq!(Directives::of(&of_map(text)).leaves_staleness_to_us(), ours, "{text:?}");
        }
    }

    fn of_map(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CACHE_CONTROL, http::HeaderValue::from_static(text))])
    }
}

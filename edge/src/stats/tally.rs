//! What an instance has counted and not yet told: numbers by what they mean. Their names, under which the store keeps them,
//! take longer to write than a number takes to add.

use std::collections::BTreeMap;
use std::time::Duration;

use adlib_shared::problem::Code;

use super::counts::Counts;
use super::series::{self, BUCKETS_US};
use crate::cache::Part;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Series {
    /// Requests of a route that were answered with a status.
    Requests {
        /// The route's path.
        route: &'static str,
        /// The status; 0 where the client left before there was one.
        status: u16,
    },
    /// Briefs in which the cache took this part.
    Cache(Part),
    /// Copies whose time lies in the bucket with this place in [`BUCKETS_US`].
    Bucket(Part, usize),
    /// The sum of the copies' times, in microseconds.
    Sum(Part),
    /// Requests over a limit.
    Limited,
    /// Requests of those who are blocked.
    Blocked,
    /// Requests that failed because of the origins.
    OriginErrors(Code),
    /// Requests to the origins.
    OriginAttempts,
    /// Requests for which a second origin was asked.
    Hedges,
    /// Requests whose client left before the reply's end.
    ClientsGone,
}

/// A number for each series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Series, u64>);

impl Tally {
    /// Adds to one series.
    pub fn count(&mut self, series: Series, number: u64) {
        let count = self.0.entry(series).or_default();
        *count = count.saturating_add(number);
    }

    /// Adds a time to the histogram.
    pub fn time(&mut self, part: Part, took: Duration) {
        let took_us = took.as_micros() as u64;
        let bucket = BUCKETS_US.iter().position(|(bound_us, _)| took_us <= *bound_us);
        self.count(Series::Bucket(part, bucket.unwrap_or(BUCKETS_US.len() - 1)), 1);
        self.count(Series::Sum(part), took_us);
    }

    /// Adds everything of another.
    pub fn add(&mut self, other: &Self) {
        for (series, number) in &other.0 {
            self.count(*series, *number);
        }
    }

    /// The same under their names.
    pub fn to_counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (series, number) in &self.0 {
            let mut count = |name: &str, labels: &[(&str, &str)]| counts.count(name, labels, *number);
            match series {
                Series::Requests { route, status } => {
                    count(series::REQUESTS, &[("route", route), ("status", &status.to_string())]);
                }
                Series::Cache(part) => count(series::CACHE, &[("outcome", part.as_str())]),
                Series::Bucket(part, at) => {
                    let bound = BUCKETS_US.get(*at).map_or("+Inf", |(_, le)| le);
                    count(series::BUCKET, &[("outcome", part.as_str()), ("le", bound)]);
                }
                Series::Sum(part) => count(series::SUM, &[("outcome", part.as_str())]),
                Series::Limited => count(series::LIMITED, &[]),
                Series::Blocked => count(series::BLOCKED, &[]),
                Series::OriginErrors(code) => count(series::ORIGIN_ERRORS, &[("code", code.as_str())]),
                Series::OriginAttempts => count(series::ORIGIN_ATTEMPTS, &[]),
                Series::Hedges => count(series::HEDGES, &[]),
                Series::ClientsGone => count(series::CLIENTS_GONE, &[]),
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_into_the_bucket_up_to_whose_bound_they_go() {
        let mut tally = Tally::default();
        for us in [250, 251, 90_000_000, 500_000_000] {
            tally.time(Part::Hit, Duration::from_micros(us));
        }
        tally.time(Part::Miss, Duration::from_micros(1));
        let text = tally.to_counts().to_prometheus();
        for (le, number) in [("0.00025", 1), ("0.0005", 2), ("30", 2), ("120", 3), ("+Inf", 4)] {
            let line = format!("{}_bucket{{outcome=\"hit\",le=\"{le}\"}} {number}\n", series::SECONDS);
            assert!(text.contains(&line), "{line} in {text}");
        }
        assert!(text.contains(&format!("{}_sum{{outcome=\"hit\"}} 590.000501\n", series::SECONDS)), "{text}");
        assert!(text.contains(&format!("{}_count{{outcome=\"hit\"}} 4\n", series::SECONDS)), "{text}");
    }

    #[test]
    fn sums_do_not_overflow_and_each_series_has_a_name_of_its_own() {
        let all = [
            Series::Requests { route: "/v1/copy", status: 200 },
            Series::Requests { route: "/v1/copy", status: 503 },
            Series::Cache(Part::Hit),
            Series::Bucket(Part::Hit, 0),
            Series::Bucket(Part::Hit, BUCKETS_US.len() - 1),
            Series::Sum(Part::Hit),
            Series::Limited,
            Series::Blocked,
            Series::OriginErrors(Code::OriginFailed),
            Series::OriginAttempts,
            Series::Hedges,
            Series::ClientsGone,
        ];
        let mut tally = Tally::default();
        for series in all {
            tally.count(series, u64::MAX);
        }
        tally.add(&tally.clone());
        let counts = tally.to_counts();
        assert_eq!(counts.iter().count(), all.len());
        assert!(counts.iter().all(|(_, number)| number == u64::MAX));
    }
}

//! Numbers that only grow, each under its name and labels.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::series::{ALL, BUCKET, BUCKETS_US, SECONDS, SUM};

/// Counts by series: a name with labels, such as `adlib_edge_requests_total{route="/v1/copy",status="200"}`. There are as
/// many as routes times statuses at most, since neither is the client's to invent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Adds to one series.
    pub fn count(&mut self, name: &str, labels: &[(&str, &str)], number: u64) {
        let mut series = name.to_owned();
        for (index, (label, value)) in labels.iter().enumerate() {
            let _ = write!(series, "{}{label}=\"{value}\"", if index == 0 { '{' } else { ',' });
        }
        if !labels.is_empty() {
            series.push('}');
        }
        self.put(series, number);
    }

    /// Adds everything of another.
    pub fn add(&mut self, other: &Self) {
        for (series, number) in &other.0 {
            self.put(series.clone(), *number);
        }
    }

    /// Adds to a series by its whole name.
    pub fn put(&mut self, series: String, number: u64) {
        let count = self.0.entry(series).or_default();
        *count = count.saturating_add(number);
    }

    /// All series and their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(series, number)| (series.as_str(), *number))
    }

    /// The numbers of one name, summed up by one of its labels.
    pub fn by_label(&self, name: &str, label: &str) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for (series, number) in self.iter().filter(|(series, _)| name_of(series) == name) {
            *sums.entry(label_of(series, label).unwrap_or_default().to_owned()).or_default() += number;
        }
        sums
    }

    /// The numbers of one name, summed up.
    pub fn total(&self, name: &str) -> u64 {
        self.iter().filter(|(series, _)| name_of(series) == name).map(|(_, number)| number).sum()
    }

    /// For each bucket of the histogram, the times with this label up to its bound.
    pub fn buckets(&self, label: &str, value: &str) -> [u64; BUCKETS_US.len()] {
        let mut buckets = [0; BUCKETS_US.len()];
        for (series, number) in self.iter().filter(|(series, _)| name_of(series) == BUCKET) {
            let at = BUCKETS_US.iter().position(|(_, le)| label_of(series, "le") == Some(le));
            if let Some(at) = at.filter(|_| label_of(series, label) == Some(value)) {
                buckets[at..].iter_mut().for_each(|bucket| *bucket += number);
            }
        }
        buckets
    }

    /// Everything in Prometheus' text format.
    pub fn to_prometheus(&self) -> String {
        let mut text = String::new();
        for (name, kind, about) in ALL {
            let _ = writeln!(text, "# HELP {name} {about}\n# TYPE {name} {kind}");
            if name == SECONDS {
                self.write_histogram(&mut text);
            } else {
                for (series, number) in self.iter().filter(|(series, _)| name_of(series) == name) {
                    let _ = writeln!(text, "{series} {number}");
                }
            }
        }
        text
    }

    fn write_histogram(&self, text: &mut String) {
        for (outcome, sum_us) in self.by_label(SUM, "outcome") {
            let buckets = self.buckets("outcome", &outcome);
            for ((_, le), number) in BUCKETS_US.iter().zip(buckets) {
                let _ = writeln!(text, "{SECONDS}_bucket{{outcome=\"{outcome}\",le=\"{le}\"}} {number}");
            }
            let seconds = sum_us as f64 / 1e6;
            let _ = writeln!(text, "{SECONDS}_sum{{outcome=\"{outcome}\"}} {seconds}");
            let count = buckets[BUCKETS_US.len() - 1];
            let _ = writeln!(text, "{SECONDS}_count{{outcome=\"{outcome}\"}} {count}");
        }
    }
}

/// A series without its labels.
fn name_of(series: &str) -> &str {
    series.split('{').next().unwrap_or_default()
}

/// The value of one label. No value holds a quotation mark.
fn label_of<'a>(series: &'a str, label: &str) -> Option<&'a str> {
    let (_, labels) = series.trim_end_matches('}').split_once('{')?;
    let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == label).map(|(_, value)| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_shown_as_prometheus_reads_them() {
        let mut counts = Counts::default();
        counts.count(ALL[0].0, &[("route", "/v1/copy"), ("status", "200")], 2);
        counts.count(ALL[2].0, &[], 1);
        counts.put("of_another_version_total".to_owned(), 7);
        let text = counts.to_prometheus();
        assert!(text.contains("# TYPE adlib_edge_requests_total counter\n"));
        assert!(text.contains("adlib_edge_requests_total{route=\"/v1/copy\",status=\"200\"} 2\n"));
        assert!(text.contains("adlib_edge_limited_total 1\n") && !text.contains("another_version"), "{text}");
    }

    #[test]
    fn the_buckets_are_in_order_and_each_name_has_its_meaning() {
        assert!(BUCKETS_US.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (bound_us, le) in &BUCKETS_US[..BUCKETS_US.len() - 1] {
            assert!((le.parse::<f64>().expect("a number") - *bound_us as f64 / 1e6).abs() < 1e-9, "{le}");
        }
        assert!(ALL.iter().all(|(name, _, about)| name.starts_with("adlib_edge_") && about.ends_with('.')));
    }

    #[test]
    fn sums_go_by_label_and_do_not_overflow() {
        let mut counts = Counts::default();
        counts.count("n", &[("a", "1"), ("b", "x")], u64::MAX);
        counts.count("n", &[("a", "1"), ("b", "x")], 1);
        counts.count("n", &[("a", "2"), ("b", "x")], 0);
        assert_eq!(counts.by_label("n", "a")["1"], u64::MAX);
        assert_eq!(counts.total("n"), u64::MAX);
        assert_eq!(counts.total("nn"), 0);
    }
}

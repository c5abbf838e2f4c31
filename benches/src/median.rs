//! The middle of several measurements.

/// The middle value, or the mean of the two in the middle; `None` of no values.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// The value that this share of the values does not exceed, by the nearest rank; not a number for no values.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::{median, percentile};

    #[test]
    fn a_percentile_is_a_value_by_its_rank() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        let found = [0.0, 0.5, 0.99, 1.0].map(|share| percentile(&values, share).to_string());
        assert_eq!(found, ["1", "50", "99", "100"]);
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0]), Some(3.0));
        assert_eq!(median([9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }
}

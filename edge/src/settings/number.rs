//! Whole numbers among the settings.

use super::SettingsError;

/// A whole number from `min` to `max`, in plain decimal digits.
pub(super) fn number(name: &'static str, value: &str, min: u64, max: u64) -> Result<u64, SettingsError> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = if digits { value.parse::<u64>().ok() } else { None };
    parsed.filter(|number| (min..=max).contains(number)).ok_or_else(|| SettingsError::Invalid {
        name,
        value: format!("{value:?}"),
        wrong: format!("is not a whole number from {min} to {max}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_inside_and_their_neighbours_outside() {
        for (value, expected) in [("5", Some(5)), ("9", Some(9)), ("4", None), ("10", None), ("07", Some(7))]
        {
            assert_eq!(number("cache_ttl_s", value, 5, 9).ok(), expected, "{value}");
        }
    }

    #[test]
    fn what_is_not_plain_digits_is_refused_with_its_name_and_value() {
        for value in ["", "-1", "+7", "7.0", "7s", "0x7", "99999999999999999999999"] {
            let error = number("cache_ttl_s", value, 0, 9).expect_err(value).to_string();
            assert!(
                error.contains("cache_ttl_s") && error.contains(value) && error.contains("0 to 9"),
                "{error}"
            );
        }
    }
}

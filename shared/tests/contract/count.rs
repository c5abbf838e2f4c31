//! Every unit counts as its source says.

use adlib_shared::count::{GSM7_FOREIGN, URL_WEIGHT, Unit};
use proptest::prelude::*;

fn counts(unit: Unit, cases: &[(&str, usize)]) {
    for (text, expected) in cases {
        assert_eq!(unit.count(text), *expected, "{unit} of {text:?}");
    }
}

#[test]
fn graphemes_are_what_a_reader_sees() {
    counts(
        Unit::Graphemes,
        &[("", 0), ("abc", 3), ("e\u{301}", 1), ("👨‍👩‍👧‍👦", 1), ("🇩🇪🇫🇷", 2), ("\r\n", 1), ("नि", 1)],
    );
}

#[test]
fn code_points_utf16_units_and_bytes_are_counted_as_they_are_stored() {
    counts(Unit::CodePoints, &[("e\u{301}", 2), ("👨‍👦", 3), ("字", 1)]);
    counts(Unit::Utf16, &[("abc", 3), ("😀", 2), ("字", 1), ("👨‍👦", 5)]);
    counts(Unit::Bytes, &[("abc", 3), ("é", 2), ("字", 3), ("😀", 4)]);
}

#[test]
fn wide_characters_and_emoji_take_two_columns() {
    let cases = [
        ("abc", 3),
        ("字", 2),
        ("ｱ", 1),
        ("Ａ", 2),
        ("한", 2),
        ("😀", 2),
        ("☕", 2),
        ("é", 1),
        ("e\u{301}", 2),
        ("🏛\u{fe0f}", 3),
    ];
    counts(Unit::Width, &cases);
}

#[test]
fn x_weighs_as_twitter_text_does() {
    // From the configuration of version 3 and its conformance cases.
    counts(
        Unit::XWeighted,
        &[
            ("This is a test.", 15),
            ("e\u{301}", 1),
            ("字", 2),
            ("’“”–", 4),
            ("…", 2),
            ("😀", 2),
            ("👨‍👩‍👧‍👦", 2),
            ("🇩🇪", 2),
            ("✌🏽", 2),
            ("1\u{fe0f}\u{20e3}", 2),
            ("ﾊﾟ", 4),
        ],
    );
}

#[test]
fn a_url_weighs_23_on_x_however_long_it_is() {
    let long = format!("https://a.example/{}", "x".repeat(300));
    counts(
        Unit::XWeighted,
        &[
            ("https://a.example", URL_WEIGHT),
            (&long, URL_WEIGHT),
            ("See HTTPS://a.example, now", 4 + URL_WEIGHT + 5),
            ("(https://a.example).", URL_WEIGHT + 3),
            ("https://a.example https://b.example", 2 * URL_WEIGHT + 1),
            ("https://a.example字", URL_WEIGHT + 2),
            ("Go to example.com!", 6 + URL_WEIGHT + 1),
            ("www.kilima.de", URL_WEIGHT),
            ("kilima.de", 9),
            ("kilima.de/x", URL_WEIGHT),
            ("t.co", URL_WEIGHT),
            ("me@example.com", 14),
            ("end.Begin 3.5 e.g. ...", 22),
            ("http:// alone", 13),
        ],
    );
}

#[test]
fn gsm_7_counts_septets() {
    counts(Unit::Gsm7, &[("Hello @ £5", 10), ("€", 2), ("[]{}^~|\\", 16), ("é", 1), ("\n", 1), ("Ωà§", 3)]);
    for foreign in ["ê", "字", "’", "😀", "`", "\t"] {
        assert!(Unit::Gsm7.count(foreign) >= GSM7_FOREIGN, "{foreign}");
    }
    let alphabet: Vec<char> = (0..=0x20AC_u32).filter_map(char::from_u32).collect();
    let of = |septets: usize| alphabet.iter().filter(|c| Unit::Gsm7.count(&c.to_string()) == septets).count();
    // 128 positions less the escape; 9 printable extensions and the form feed.
    assert_eq!((of(1), of(2)), (127, 10));
}

#[test]
fn a_text_is_cut_where_a_word_ends() {
    let cases = [
        (Unit::Graphemes, "Fresh bread daily", 17, "Fresh bread daily"),
        (Unit::Graphemes, "Fresh bread daily", 16, "Fresh bread"),
        (Unit::Graphemes, "Fresh bread daily", 11, "Fresh bread"),
        (Unit::Graphemes, "Fresh bread daily", 10, "Fresh"),
        (Unit::Graphemes, "Fresh bread daily", 4, ""),
        (Unit::Graphemes, "Save 50% at half-price", 7, "Save"),
        (Unit::Graphemes, "Save 50% at half-price", 17, "Save 50% at"),
        (Unit::Graphemes, "Only $1.50 today", 7, "Only"),
        (Unit::Graphemes, "Bread ", 5, "Bread"),
        (Unit::Graphemes, "毎日焼きたてのパン", 5, "毎日焼き"),
        (Unit::Gsm7, "Tea ’til ten", 5, "Tea"),
        (
            Unit::XWeighted,
            "Read https://a.example/very/long/path/indeed/it/is now",
            28,
            "Read https://a.example/very/long/path/indeed/it/is",
        ),
    ];
    for (unit, text, limit, expected) in cases {
        let cut = unit.truncate_at_word(text, limit);
        assert!(unit.count(cut) <= limit, "{cut:?} is over {limit}");
        if unit == Unit::Graphemes && text.starts_with('毎') {
            assert!(
                !cut.is_empty() && text.starts_with(cut),
                "a script without spaces is cut between words: {cut:?}"
            );
        } else {
            assert_eq!(cut, expected, "{unit} {limit} of {text:?}");
        }
    }
}

proptest! {
    #[test]
    fn a_cut_text_fits_and_is_a_beginning(text in "\\PC{0,60}", limit in 0..80_usize, at in 0..Unit::ALL.len()) {
        let unit = Unit::ALL[at];
        let cut = unit.truncate_at_word(&text, limit);
        prop_assert!(text.starts_with(cut));
        prop_assert!(unit.count(cut) <= limit);
        prop_assert_eq!(cut, cut.trim_end());
    }

    #[test]
    fn nothing_counts_more_than_its_bytes_but_what_is_weighed(text in "\\PC{0,60}") {
        let bytes = Unit::Bytes.count(&text);
        for unit in [Unit::Graphemes, Unit::CodePoints, Unit::Utf16] {
            prop_assert!(unit.count(&text) <= bytes);
        }
        prop_assert!(Unit::Graphemes.count(&text) <= Unit::CodePoints.count(&text));
        prop_assert!(Unit::CodePoints.count(&text) <= Unit::Width.count(&text));
        prop_assert!(Unit::Width.count(&text) <= 2 * Unit::CodePoints.count(&text));
    }
}

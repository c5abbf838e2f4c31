//! Prices and percentages: a number with a currency or a percent sign beside it.

use std::collections::BTreeSet;

use super::numbers::Found;

/// A sign and a value.
pub(super) type Price = (&'static str, String);

/// What stands beside a number and what it means. The spellings of one sign are one: `USD 24` states `$24`.
const MARKS: &[(&str, &str)] = &[
    ("%", "%"),
    ("percent", "%"),
    ("per cent", "%"),
    ("pct", "%"),
    ("$", "$"),
    ("usd", "$"),
    ("aud", "$"),
    ("cad", "$"),
    ("nzd", "$"),
    ("sgd", "$"),
    ("hkd", "$"),
    ("dollars", "$"),
    ("dollar", "$"),
    ("mxn", "$"),
    ("ars", "$"),
    ("clp", "$"),
    ("cop", "$"),
    ("twd", "$"),
    ("pesos", "$"),
    ("€", "€"),
    ("eur", "€"),
    ("euros", "€"),
    ("euro", "€"),
    ("£", "£"),
    ("gbp", "£"),
    ("pounds", "£"),
    ("egp", "£"),
    ("¥", "¥"),
    ("jpy", "¥"),
    ("cny", "¥"),
    ("rmb", "¥"),
    ("yen", "¥"),
    ("yuan", "¥"),
    ("円", "¥"),
    ("元", "¥"),
    ("₹", "₹"),
    ("inr", "₹"),
    ("rs.", "₹"),
    ("rs", "₹"),
    ("rupees", "₹"),
    ("₩", "₩"),
    ("krw", "₩"),
    ("won", "₩"),
    ("₽", "₽"),
    ("rub", "₽"),
    ("₺", "₺"),
    ("try", "₺"),
    ("tl", "₺"),
    ("₴", "₴"),
    ("uah", "₴"),
    ("₪", "₪"),
    ("ils", "₪"),
    ("₫", "₫"),
    ("vnd", "₫"),
    ("₱", "₱"),
    ("php", "₱"),
    ("₦", "₦"),
    ("ngn", "₦"),
    ("฿", "฿"),
    ("thb", "฿"),
    ("baht", "฿"),
    ("₵", "₵"),
    ("ghs", "₵"),
    ("kr", "kr"),
    ("kr.", "kr"),
    ("sek", "kr"),
    ("nok", "kr"),
    ("dkk", "kr"),
    ("isk", "kr"),
    ("kronor", "kr"),
    ("kroner", "kr"),
    ("chf", "chf"),
    ("pln", "pln"),
    ("zł", "pln"),
    ("czk", "czk"),
    ("kč", "czk"),
    ("huf", "huf"),
    ("ft", "huf"),
    ("ron", "ron"),
    ("lei", "ron"),
    ("bgn", "bgn"),
    ("brl", "brl"),
    ("r$", "brl"),
    ("zar", "zar"),
    ("kes", "kes"),
    ("ksh", "kes"),
    ("aed", "aed"),
    ("sar", "sar"),
    ("mad", "mad"),
    ("myr", "myr"),
    ("rm", "myr"),
    ("idr", "idr"),
    ("rp", "idr"),
];

/// Marks that are also ordinary words or units: they count only before a number, where a price stands.
const ONLY_BEFORE: [&str; 8] = ["ft", "try", "rm", "rp", "tl", "won", "mad", "rs"];
/// Marks that are also ordinary words: they count only behind a number.
const ONLY_BEHIND: [&str; 8] = ["%", "percent", "per cent", "pct", "pounds", "dollars", "euros", "ft"];

/// What may stand between two numbers that share one sign, as in `€10–20` or `10 to 20 %`.
const RANGE_WORDS: [&str; 9] = ["-", "–", "—", "/", "to", "or", "and", "bis", "à"];

/// The prices that the number makes with the signs right beside it.
pub(super) fn direct(text: &str, number: &Found) -> BTreeSet<Price> {
    let marks = before(&text[..number.span.0]).into_iter().chain(behind(&text[number.span.1..]));
    marks.flat_map(|mark| number.values.iter().map(move |value| (mark, value.clone()))).collect()
}

/// Every price that a text states, ranges included.
pub(super) fn stated(text: &str, numbers: &[Found]) -> BTreeSet<Price> {
    let mut prices: BTreeSet<Price> = numbers.iter().flat_map(|number| direct(text, number)).collect();
    for pair in numbers.windows(2) {
        let [left, right] = pair else { continue };
        let between = text[left.span.1..right.span.0].trim().to_lowercase();
        let bare: String = strip_marks(&between);
        if RANGE_WORDS.contains(&bare.trim()) {
            let marks: BTreeSet<&'static str> =
                direct(text, left).into_iter().chain(direct(text, right)).map(|(mark, _)| mark).collect();
            let values = left.values.iter().chain(&right.values);
            prices.extend(values.flat_map(|value| marks.iter().map(move |mark| (*mark, value.clone()))));
        }
    }
    prices
}

/// The number with what stands around it, up to the next spaces, to show in a report.
pub(super) fn written(text: &str, number: &Found) -> String {
    let start = text[..number.span.0]
        .rfind(char::is_whitespace)
        .map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8));
    let end = text[number.span.1..].find(char::is_whitespace).map_or(text.len(), |at| number.span.1 + at);
    text[start..end].to_owned()
}

fn strip_marks(between: &str) -> String {
    between.chars().filter(|character| !"%$€£¥₹".contains(*character)).collect()
}

/// The sign that stands right before a number.
fn before(text: &str) -> Option<&'static str> {
    let tail = text.strip_suffix([' ', '\u{A0}']).unwrap_or(text);
    let lower = last_chars(tail).to_lowercase();
    let fits = |mark: &str| {
        lower.strip_suffix(mark).is_some_and(|rest| {
            let letters = mark.starts_with(char::is_alphabetic);
            !letters || !rest.ends_with(char::is_alphanumeric)
        })
    };
    let found = MARKS.iter().filter(|(mark, _)| !ONLY_BEHIND.contains(mark) && fits(mark));
    found.max_by_key(|(mark, _)| mark.len()).map(|(_, sign)| *sign)
}

/// The sign that stands right behind a number.
fn behind(text: &str) -> Option<&'static str> {
    let head = text.strip_prefix([' ', '\u{A0}']).unwrap_or(text);
    let lower: String = head.chars().take(MARK_CHARS_MAX + 1).collect::<String>().to_lowercase();
    let fits = |mark: &str| {
        lower.strip_prefix(mark).is_some_and(|rest| {
            let letters = mark.ends_with(char::is_alphabetic);
            // A currency sign before the next number belongs to that one: "2 $5 vouchers".
            let taken = !letters && mark != "%" && rest.starts_with(|next: char| next.is_ascii_digit());
            !taken && (!letters || !rest.starts_with(char::is_alphanumeric))
        })
    };
    let found = MARKS.iter().filter(|(mark, _)| !ONLY_BEFORE.contains(mark) && fits(mark));
    found.max_by_key(|(mark, _)| mark.len()).map(|(_, sign)| *sign)
}

/// Characters of the longest mark.
const MARK_CHARS_MAX: usize = 8;

fn last_chars(text: &str) -> &str {
    let start = text.char_indices().rev().nth(MARK_CHARS_MAX).map_or(0, |(at, _)| at);
    &text[start..]
}

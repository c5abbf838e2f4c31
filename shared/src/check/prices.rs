//! Prices and percentages: a number with a currency or a percent sign beside it.

use std::collections::BTreeSet;

use super::numbers::Found;

/// A sign and a value.
pub(super) type Price = (&'static str, String);

/// One currency, or the percent sign, with its spellings: `USD 24` and `24 dollars` state `$24`.
struct Sign {
    /// The one form that stands for all.
    form: &'static str,
    /// Spellings that stand before or behind a number, in any case.
    marks: &'static [&'static str],
    /// Codes in capitals, before or behind. In small letters many of them are words.
    codes: &'static [&'static str],
    /// Words that stand only behind a number.
    words: &'static [&'static str],
}

/// The signs that prices are written with. Codes of the same family of currencies share their symbol's sign.
const SIGNS: &[Sign] = &[
    Sign { form: "%", marks: &[], codes: &[], words: &["%", "percent", "per cent", "pct"] },
    Sign {
        form: "$",
        marks: &["$"],
        codes: &["USD", "AUD", "CAD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP"],
        words: &["dollars", "dollar", "pesos", "bucks"],
    },
    Sign { form: "€", marks: &["€"], codes: &["EUR"], words: &["euros", "euro"] },
    Sign { form: "£", marks: &["£"], codes: &["GBP", "EGP"], words: &["pounds"] },
    Sign { form: "¥", marks: &["¥", "円", "元"], codes: &["JPY", "CNY", "RMB"], words: &["yen", "yuan"] },
    Sign { form: "₹", marks: &["₹", "rs."], codes: &["INR"], words: &["rupees"] },
    Sign { form: "₩", marks: &["₩"], codes: &["KRW"], words: &["won"] },
    Sign { form: "₽", marks: &["₽"], codes: &["RUB"], words: &["roubles", "rubles"] },
    Sign { form: "₺", marks: &["₺"], codes: &[], words: &["lira", "tl"] },
    Sign { form: "₴", marks: &["₴"], codes: &["UAH"], words: &[] },
    Sign { form: "₪", marks: &["₪"], codes: &["ILS", "NIS"], words: &["shekels"] },
    Sign { form: "₫", marks: &["₫"], codes: &["VND"], words: &[] },
    Sign { form: "₱", marks: &["₱"], codes: &[], words: &[] },
    Sign { form: "₦", marks: &["₦"], codes: &["NGN"], words: &["naira"] },
    Sign { form: "฿", marks: &["฿"], codes: &["THB"], words: &["baht"] },
    Sign { form: "₵", marks: &["₵"], codes: &["GHS"], words: &["cedis"] },
    Sign {
        form: "kr",
        marks: &["kr", "kr."],
        codes: &["SEK", "NOK", "DKK", "ISK"],
        words: &["kronor", "kroner"],
    },
    Sign { form: "chf", marks: &["chf"], codes: &["CHF"], words: &["francs"] },
    Sign { form: "pln", marks: &["zł"], codes: &["PLN"], words: &["złoty"] },
    Sign { form: "czk", marks: &["kč"], codes: &["CZK"], words: &[] },
    Sign { form: "huf", marks: &[], codes: &["HUF"], words: &["forint"] },
    Sign { form: "ron", marks: &[], codes: &["RON"], words: &["lei"] },
    Sign { form: "brl", marks: &["r$"], codes: &["BRL"], words: &["reais"] },
    Sign { form: "zar", marks: &[], codes: &["ZAR"], words: &["rand"] },
    Sign { form: "kes", marks: &["ksh"], codes: &["KES"], words: &["shillings"] },
    Sign { form: "aed", marks: &[], codes: &["AED"], words: &["dirhams"] },
    Sign { form: "myr", marks: &[], codes: &["MYR"], words: &["ringgit"] },
    Sign { form: "idr", marks: &[], codes: &["IDR"], words: &["rupiah"] },
];

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

/// The sign that stands right before a number: the longest spelling that fits.
fn before(text: &str) -> Option<&'static str> {
    let tail = last_chars(text.strip_suffix([' ', '\u{A0}']).unwrap_or(text));
    let lower = tail.to_lowercase();
    let ends = |text: &str, mark: &str| {
        let apart =
            |rest: &str| !mark.starts_with(char::is_alphabetic) || !rest.ends_with(char::is_alphanumeric);
        text.strip_suffix(mark).is_some_and(apart)
    };
    longest(|sign| {
        let marks = sign.marks.iter().filter(|mark| ends(&lower, mark));
        marks.chain(sign.codes.iter().filter(|code| ends(tail, code))).map(|mark| mark.len()).max()
    })
}

/// The sign that stands right behind a number: the longest spelling that fits.
fn behind(text: &str) -> Option<&'static str> {
    let head = text.strip_prefix([' ', '\u{A0}']).unwrap_or(text);
    let head: String = head.chars().take(MARK_CHARS_MAX + 1).collect();
    let lower = head.to_lowercase();
    let begins = |text: &str, mark: &str| {
        text.strip_prefix(mark).is_some_and(|rest| {
            let letters = mark.ends_with(char::is_alphabetic);
            // A currency sign before the next number belongs to that one: "2 $5 vouchers".
            let taken = !letters && mark != "%" && rest.starts_with(|next: char| next.is_ascii_digit());
            !taken && (!letters || !rest.starts_with(char::is_alphanumeric))
        })
    };
    longest(|sign| {
        let spellings = sign.marks.iter().chain(sign.words).filter(|mark| begins(&lower, mark));
        spellings.chain(sign.codes.iter().filter(|code| begins(&head, code))).map(|mark| mark.len()).max()
    })
}

/// The sign whose spelling, measured by `fit`, is the longest.
fn longest(fit: impl Fn(&Sign) -> Option<usize>) -> Option<&'static str> {
    let fitting = SIGNS.iter().filter_map(|sign| Some((fit(sign)?, sign.form)));
    fitting.max_by_key(|(length, _)| *length).map(|(_, form)| form)
}

/// Characters of the longest spelling.
const MARK_CHARS_MAX: usize = 9;

fn last_chars(text: &str) -> &str {
    let start = text.char_indices().rev().nth(MARK_CHARS_MAX).map_or(0, |(at, _)| at);
    &text[start..]
}

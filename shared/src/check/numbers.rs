//! Numbers in running text, in one form however they are written.

use std::borrow::Cow;
use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;

/// A number where it stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it begins and ends in the text that was scanned, in bytes.
    pub(crate) span: (usize, usize),
    /// What it may mean: `1.400` is fourteen hundred or one point four, `7:30` a time.
    pub(crate) values: Vec<String>,
}

/// A text made ready for [`numbers`]: compatibility forms resolved, digits of every script as ASCII, raised and
/// lowered digits (as in `m²`) left out, and a no-break space between groups of digits as an apostrophe.
pub(crate) fn prepare(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let is_raised =
        |character: char| matches!(character as u32, 0xB2 | 0xB3 | 0xB9 | 0x2070..=0x2079 | 0x2080..=0x2089);
    let plain: Vec<char> = text
        .chars()
        .filter(|&character| !is_raised(character))
        .map(|character| digit(character).unwrap_or(character))
        .collect();
    let is_digit = |at: usize| plain.get(at).is_some_and(char::is_ascii_digit);
    let grouped = plain.iter().enumerate().map(|(at, &character)| {
        let groups = matches!(character, '\u{A0}' | '\u{2009}' | '\u{202F}')
            && (at > 0 && is_digit(at - 1))
            && (1..=3).all(|ahead| is_digit(at + ahead))
            && !is_digit(at + 4);
        if groups { '\'' } else { character }
    });
    Cow::Owned(grouped.nfkc().collect())
}

/// The zero of each script whose digits people write numbers with.
const ZEROS: [u32; 16] = [
    0x660, 0x6F0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20, 0x1040,
    0x17E0,
];

fn digit(character: char) -> Option<char> {
    let code = character as u32;
    let value = ZEROS.iter().find_map(|zero| code.checked_sub(*zero).filter(|value| *value < 10))?;
    char::from_digit(value, 10)
}

/// The numbers of a [prepared](prepare) text, in order.
pub(crate) fn numbers(text: &str) -> Vec<Found> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = number_end(bytes, at);
        found.push(Found { span: (at, end), values: values(&text[at..end]) });
        at = end;
    }
    found
}

/// Whether a number only counts the items of a list: `2.` or `2)` at the start of a line, from 1 to 99.
pub(crate) fn is_list_number(text: &str, found: &Found) -> bool {
    let (start, end) = found.span;
    let opens = text[..start].trim_end_matches(' ').chars().next_back().is_none_or(|before| before == '\n');
    let rest = &text[end..];
    opens && end - start <= 2 && (rest.starts_with(". ") || rest.starts_with(") "))
}

/// Digits, then any times a separator with digits behind it.
fn number_end(bytes: &[u8], start: usize) -> usize {
    let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = start + digits(start);
    while let Some(separator @ (b'.' | b',' | b':' | b'\'')) = bytes.get(end) {
        let more = digits(end + 1);
        // An apostrophe groups thousands or is none: 5'10 is a height, '90s a decade.
        if more == 0 || (*separator == b'\'' && more != 3) {
            break;
        }
        end += 1 + more;
    }
    end
}

/// What a written number may mean, each in one form: no grouping, a point, no zeros at either end.
fn values(written: &str) -> Vec<String> {
    if written.contains(':') {
        return vec![written.split(':').map(whole).collect::<Vec<_>>().join(":")];
    }
    let groups: Vec<&str> = written.split(['.', ',', '\'']).collect();
    let [first, rest @ ..] = groups.as_slice() else { return Vec::new() };
    let Some((last, _)) = rest.split_last() else { return vec![whole(first)] };
    let separators: BTreeSet<char> =
        written.chars().filter(|character| !character.is_ascii_digit()).collect();
    let grouped =
        (1..=3).contains(&first.len()) && !first.starts_with('0') && rest.iter().all(|g| g.len() == 3);
    let joined = groups.concat();
    let decimal = || {
        let integer = &joined[..joined.len() - last.len()];
        let fraction = last.trim_end_matches('0');
        if fraction.is_empty() { whole(integer) } else { format!("{}.{fraction}", whole(integer)) }
    };
    match (separators.len(), rest.len()) {
        // Two kinds of separators: the last one is the decimal sign.
        (2.., _) => vec![decimal()],
        (_, 1) if grouped && written.contains('.') => vec![whole(&joined), decimal()],
        (_, 1) if grouped => vec![whole(&joined)],
        (_, 1) => vec![decimal()],
        _ if grouped => vec![whole(&joined)],
        // A version or a date: compared as it is written.
        _ => vec![written.to_owned()],
    }
}

/// Digits without leading zeros.
fn whole(digits: &str) -> String {
    let trimmed = digits.trim_start_matches('0');
    if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
}

/// The value of a number that is spelled out in English, from 0 to 99, or `hundred`, `thousand`, `million`, `dozen`.
pub(crate) fn spelled(word: &str) -> Option<u32> {
    const UNITS: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let unit = |word: &str| UNITS.iter().position(|unit| *unit == word).map(|value| value as u32);
    let ten = |word: &str| TENS.iter().position(|ten| *ten == word).map(|value| 20 + 10 * value as u32);
    if let Some((tens, units)) = word.split_once('-') {
        let units = unit(units).filter(|value| (1..10).contains(value))?;
        return Some(ten(tens)? + units);
    }
    let rare = |word: &str| match word {
        "once" => Some(1),
        "twice" => Some(2),
        "dozen" => Some(12),
        "hundred" => Some(100),
        "thousand" => Some(1000),
        "million" => Some(1_000_000),
        _ => None,
    };
    unit(word).or_else(|| ten(word)).or_else(|| rare(word))
}

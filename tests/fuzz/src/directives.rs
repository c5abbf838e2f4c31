//! `Cache-Control` of a request: header lines, one a line of the input.

use adlib_edge::cache::Directives;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, HeaderValue};

use crate::Target;

pub(crate) const TARGET: Target = Target { name: "directives", run, seeds, words: WORDS };

const WORDS: &[&str] = &[
    "no-cache",
    "no-store",
    "only-if-cached",
    "max-age=",
    "min-fresh=",
    "max-stale",
    "max-stale=",
    "18446744073709551616",
    "\"60\"",
    "2147483648",
];

fn run(input: &[u8]) {
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let given = read(&lines);
    let items: Vec<&[u8]> = lines
        .iter()
        .filter(|line| is_value(line))
        .flat_map(|line| line.split(|byte| *byte == b','))
        .collect();
    assert_eq!(read(&items), given, "a directive a header is the same as all in one");
    let backwards: Vec<&[u8]> = items.iter().rev().copied().collect();
    assert_eq!(read(&backwards), given, "the order of directives means nothing");
    let capitals: Vec<Vec<u8>> = lines.iter().map(|line| line.to_ascii_uppercase()).collect();
    let capitals: Vec<&[u8]> = capitals.iter().map(Vec::as_slice).collect();
    assert_eq!(read(&capitals), given, "names are taken in any case");
    let stricter: Vec<&[u8]> = lines.iter().copied().chain([&b"max-age=0"[..]]).collect();
    assert_eq!(read(&stricter).max_age_s, Some(0), "of two numbers the stricter one counts");
}

fn is_value(line: &[u8]) -> bool {
    HeaderValue::from_bytes(line).is_ok()
}

fn read(lines: &[&[u8]]) -> Directives {
    let values = lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok());
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(CACHE_CONTROL, value);
    }
    Directives::of(&headers)
}

fn seeds() -> Vec<Vec<u8>> {
    [
        "no-cache, no-store",
        "max-age=60\nmin-fresh=\"5\", max-stale",
        "only-if-cached, max-age=-1",
        "max-stale=9, MAX-AGE = 7",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

//! X's weighted count, after configuration 3 of twitter-text.

use unicode_properties::UnicodeEmoji;
use unicode_segmentation::UnicodeSegmentation;

/// What a URL counts, however long it is.
pub const URL_WEIGHT: usize = 23;

/// The length of a text in NFC: a URL counts 23, an emoji 2, characters of the light ranges 1, others 2.
pub(super) fn count(text: &str) -> usize {
    let mut total = 0;
    let mut rest = text;
    while let Some((before, url)) = next_url(rest) {
        total += plain(before) + URL_WEIGHT;
        rest = &rest[before.len() + url.len()..];
    }
    total + plain(rest)
}

/// The weight of text without URLs.
fn plain(text: &str) -> usize {
    text.graphemes(true)
        .map(|cluster| if is_emoji(cluster) { 2 } else { cluster.chars().map(weight).sum() })
        .sum()
}

/// The ranges of configuration 3 with weight 100; everything else weighs 200, on a scale of 100.
const fn weight(character: char) -> usize {
    match character as u32 {
        0..=0x10FF | 0x2000..=0x200D | 0x2010..=0x201F | 0x2032..=0x2037 => 1,
        _ => 2,
    }
}

/// Whether a grapheme cluster is shown as an emoji, which counts as one character whatever it is made of.
fn is_emoji(cluster: &str) -> bool {
    let presented = cluster.contains(['\u{FE0F}', '\u{20E3}']);
    cluster.chars().next().is_some_and(|first| {
        let wide = first as u32 > 0x10FF;
        first.is_emoji_char() && (wide || presented)
    })
}

/// The first URL with a scheme, and the text before it.
fn next_url(text: &str) -> Option<(&str, &str)> {
    let start = text.char_indices().map(|(at, _)| at).find(|&at| has_scheme(&text[at..]))?;
    let tail = &text[start..];
    let end = tail.find(char::is_whitespace).unwrap_or(tail.len());
    Some((&text[..start], &tail[..end]))
}

fn has_scheme(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        let host = text.get(scheme.len()..).and_then(|host| host.chars().next());
        text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
            && host.is_some_and(char::is_alphanumeric)
    })
}

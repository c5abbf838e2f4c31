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

/// The first URL, and the text before it.
fn next_url(text: &str) -> Option<(&str, &str)> {
    let mut start = 0;
    for token in text.split_inclusive(|character: char| !may_stand_in_url(character)) {
        let body = token.trim_end_matches(|character: char| !may_stand_in_url(character));
        if let Some((at, url)) = url_in(body) {
            let from = start + at;
            return Some((&text[..from], &text[from..from + url.len()]));
        }
        start += token.len();
    }
    None
}

/// What ends a URL: white space, quotes, and scripts that addresses are not written in.
const fn may_stand_in_url(character: char) -> bool {
    !character.is_whitespace() && !matches!(character, '"' | '<' | '>' | '\u{2000}'..)
}

/// The URL in a token without spaces, and where it begins. Closing punctuation belongs to the sentence.
fn url_in(token: &str) -> Option<(usize, &str)> {
    let scheme = token.char_indices().map(|(at, _)| at).find(|&at| has_scheme(&token[at..]));
    let start = scheme.unwrap_or_else(|| token.len() - token.trim_start_matches(['(', '[', '{', '\'']).len());
    let url = token[start..].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '\'']);
    (scheme.is_some() || is_linked_host(url)).then_some((start, url))
}

fn has_scheme(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        let host = text.get(scheme.len()..).and_then(|host| host.chars().next());
        text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
            && host.is_some_and(char::is_alphanumeric)
    })
}

/// The common endings that X links without a scheme. A country's ending needs a third name or a path before it is
/// taken for a link, but for two countries that sell theirs to everyone.
const ENDINGS: [&str; 30] = [
    "agency", "app", "art", "biz", "blog", "cafe", "cloud", "club", "coffee", "com", "design", "dev", "edu",
    "gov", "info", "life", "live", "net", "news", "online", "org", "shop", "site", "space", "store",
    "studio", "tech", "today", "website", "xyz",
];

fn is_linked_host(url: &str) -> bool {
    let (host, path) = url.split_at(url.find(['/', '?', '#']).unwrap_or(url.len()));
    let mut labels = host.rsplit('.');
    let ending = labels.next().unwrap_or_default().to_ascii_lowercase();
    let names = labels.clone().count();
    let holds = labels.all(|label| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    let country = ending.len() == 2 && ending.bytes().all(|byte| byte.is_ascii_lowercase());
    let linked_country = country && (names > 1 || !path.is_empty() || matches!(ending.as_str(), "co" | "tv"));
    holds && names > 0 && (linked_country || ENDINGS.contains(&ending.as_str()))
}

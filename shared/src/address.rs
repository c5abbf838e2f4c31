//! Web and mail addresses in running text.

/// Endings by which a name without scheme is taken for an address. Others pass as words: "Node.js" is no site.
const ENDINGS: &[&str] = &[
    "app", "at", "au", "be", "biz", "br", "ca", "ch", "cloud", "cn", "co", "com", "de", "dev", "dk", "edu",
    "es", "eu", "example", "fi", "fr", "gov", "ie", "in", "info", "invalid", "io", "it", "jp", "ly", "me",
    "mx", "net", "nl", "no", "nz", "online", "org", "pl", "pt", "se", "shop", "site", "store", "test", "tv",
    "uk", "us", "xyz", "za",
];

/// The addresses of a folded text, without scheme, `www.`, closing punctuation and closing slash.
pub(crate) fn addresses(text: &str) -> Vec<String> {
    let parts = |character: char| {
        character.is_whitespace() || matches!(character, '<' | '>' | '"' | '“' | '”' | '«' | '»' | '|')
    };
    text.split(parts).filter_map(address).collect()
}

/// Whether an address that is stated also states another: the same, or the site of a page.
pub(crate) fn covers(stated: &str, address: &str) -> bool {
    stated.strip_prefix(address).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

fn address(token: &str) -> Option<String> {
    // Every address has a point or a scheme in it; most words have neither.
    if !token.bytes().any(|byte| matches!(byte, b'.' | b':')) {
        return None;
    }
    let token = token.trim_start_matches(['(', '[', '{', '\'', '‘', '@', '#']);
    let token = token.trim_end_matches(|character: char| ".,;:!?)]}'’…".contains(character));
    let (scheme, bare) = match token.find("://") {
        Some(at) if token[..at].ends_with("http") || token[..at].ends_with("https") => {
            (true, &token[at + 3..])
        }
        _ => (false, token),
    };
    let (www, bare) = bare.strip_prefix("www.").map_or((false, bare), |bare| (true, bare));
    let bare = bare.trim_end_matches('/');
    let host = bare.split(['/', '?', '#']).next().unwrap_or_default();
    let is_address = scheme || www || is_host(host);
    (is_address && !bare.is_empty()).then(|| bare.to_owned())
}

/// Whether a token without scheme reads as the name of a host, or as a mail address at one.
fn is_host(token: &str) -> bool {
    let (user, host) = token.rsplit_once('@').map_or((None, token), |(user, host)| (Some(user), host));
    let mut labels = host.split('.');
    let holds = host.split('.').all(|label| {
        !label.is_empty() && label.chars().all(|character| character.is_alphanumeric() || character == '-')
    });
    let first = labels.next().unwrap_or_default();
    let ending = labels.next_back();
    let named = first.chars().count() > 1 && first.chars().any(char::is_alphabetic);
    holds && ending.is_some_and(|ending| user.is_some() || (named && ENDINGS.contains(&ending)))
}

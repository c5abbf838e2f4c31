//! Texts that break off.

/// English words after which a text cannot end.
const DANGLING: [&str; 26] = [
    "the", "a", "an", "and", "or", "of", "to", "for", "with", "in", "on", "at", "by", "from", "your", "our",
    "is", "that", "but", "than", "into", "their", "my", "every", "because", "as",
];

/// Signs after which a text cannot end in any language.
const OPEN: &str = ",;–—-&+([{“‘«";

/// Why a text is unfinished, if it is. The words are looked at only where the text is English.
pub(super) fn reason(text: &str, english: bool) -> Option<String> {
    let text = text.trim_end();
    let last = text.chars().next_back()?;
    if OPEN.contains(last) {
        return Some(format!("ends with \"{last}\""));
    }
    let opened = |open: char, close: char| text.matches(open).count() > text.matches(close).count();
    if opened('(', ')') || opened('[', ']') {
        return Some("leaves a bracket open".to_owned());
    }
    let word = text.rsplit(|character: char| !character.is_alphanumeric() && character != '\'').next()?;
    let lower = word.to_lowercase();
    (english && DANGLING.contains(&lower.as_str())).then(|| format!("ends with \"{lower}\""))
}

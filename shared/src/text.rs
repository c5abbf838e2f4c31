//! Text as the contract takes it: normalised, free of characters that hide or reorder, and folded for comparison.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::UnicodeEmoji;
use unicode_segmentation::UnicodeSegmentation;

use crate::limits;

/// What a text of a request may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextRule {
    /// Longest text, in graphemes.
    pub graphemes_max: usize,
    /// Whether lines may be broken.
    pub multiline: bool,
}

impl TextRule {
    /// One line of at most so many graphemes.
    pub const fn line(graphemes_max: usize) -> Self {
        Self { graphemes_max, multiline: false }
    }

    /// Several lines of at most so many graphemes.
    pub const fn lines(graphemes_max: usize) -> Self {
        Self { graphemes_max, multiline: true }
    }

    /// The most bytes of UTF-8 that such a text may take.
    pub const fn bytes_max(self) -> usize {
        self.graphemes_max * limits::TEXT_BYTES_PER_GRAPHEME_MAX
    }
}

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// More graphemes than allowed.
    #[error("has {counted} characters, at most {limit} are allowed")]
    TooLong {
        /// Graphemes counted.
        counted: usize,
        /// Graphemes allowed.
        limit: usize,
    },
    /// More bytes than so many graphemes need.
    #[error("has {counted} bytes, at most {limit} are allowed")]
    TooManyBytes {
        /// Bytes counted.
        counted: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A line break in a text of one line.
    #[error("holds a line break")]
    LineBreak,
    /// A control character, bidirectional override, tag or noncharacter.
    #[error("holds the character U+{:04X}, which is not allowed", *character as u32)]
    Character {
        /// The character.
        character: char,
    },
}

/// Brings a text into the contract's form: line ends as `\n`, white space trimmed at both ends, NFC.
///
/// # Errors
/// Whatever of [`TextError`] the text is. Bytes are bounded before the text is normalised.
pub fn clean(raw: &str, rule: TextRule) -> Result<String, TextError> {
    let raw = raw.trim_matches(char::is_whitespace);
    check_bytes(raw, rule)?;
    let unified = if raw.contains('\r') { raw.replace("\r\n", "\n") } else { raw.to_owned() };
    for character in unified.chars() {
        match character {
            '\n' if rule.multiline => {}
            '\n' => return Err(TextError::LineBreak),
            _ if is_refused(character) => return Err(TextError::Character { character }),
            _ => {}
        }
    }
    // Normalising can make a text longer (U+0344 becomes two characters), so its bytes are counted again.
    let text = if unified.is_ascii() { unified } else { unified.nfc().collect() };
    check_bytes(&text, rule)?;
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    let counted = graphemes(&text);
    if counted > rule.graphemes_max {
        return Err(TextError::TooLong { counted, limit: rule.graphemes_max });
    }
    Ok(text)
}

fn check_bytes(text: &str, rule: TextRule) -> Result<(), TextError> {
    let (counted, limit) = (text.len(), rule.bytes_max());
    if counted > limit { Err(TextError::TooManyBytes { counted, limit }) } else { Ok(()) }
}

/// How many grapheme clusters a text has (UAX 29). In ASCII only CR and LF can join.
pub(crate) fn graphemes(text: &str) -> usize {
    if text.is_ascii() && !text.contains('\r') { text.len() } else { text.graphemes(true).count() }
}

/// Characters that no text of a request may hold: controls, line and paragraph separators, bidirectional
/// embeddings, overrides and isolates, interlinear annotations, tags, and noncharacters.
pub fn is_refused(character: char) -> bool {
    let code = character as u32;
    character.is_control()
        || matches!(code, 0x2028..=0x202E | 0x2066..=0x2069 | 0xFFF9..=0xFFFB | 0xE0000..=0xE007F)
        || matches!(code, 0xFDD0..=0xFDEF)
        || code & 0xFFFE == 0xFFFE
}

/// A text folded for comparison: NFKC, full case folding, one apostrophe and one hyphen, and without characters that
/// are not seen.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let seen = text.chars().filter(|&character| !is_ignorable(character)).map(|character| match character {
        '\u{2018}' | '\u{2019}' | '\u{2BC}' => '\'',
        '\u{2010}' | '\u{2011}' => '-',
        other => other,
    });
    let folded = caseless::default_case_fold_str(&seen.nfkc().collect::<String>());
    // Folding may take a text out of its normal form; a second pass makes the result a fixed point.
    caseless::default_case_fold_str(&folded.nfkc().collect::<String>()).nfkc().collect()
}

/// Characters without a shape of their own that could hide a term: soft hyphen, zero-width space and joiners,
/// variation selectors, byte order mark.
const fn is_ignorable(character: char) -> bool {
    matches!(character as u32, 0xAD | 0x34F | 0x200B..=0x200F | 0x2060..=0x2064 | 0xFE00..=0xFE0F | 0xFEFF)
}

/// Whether `term` stands in `haystack` as whole words; both are already [folded](fold).
pub fn holds_term(haystack: &str, term: &str) -> bool {
    if term.is_empty() {
        return false;
    }
    haystack.match_indices(term).any(|(start, found)| {
        let (before, after) = (&haystack[..start], &haystack[start + found.len()..]);
        let opens = !joined(before.chars().next_back(), term.chars().next());
        let closes = !joined(term.chars().next_back(), after.chars().next());
        opens && closes
    })
}

/// Whether two neighbours belong to one word.
fn joined(left: Option<char>, right: Option<char>) -> bool {
    let joins = |character: char| {
        (character.is_alphanumeric() || character == '_') && !is_written_without_spaces(character)
    };
    matches!((left, right), (Some(left), Some(right)) if joins(left) && joins(right))
}

/// Scripts that put no space between words: Thai, Lao, Myanmar, Khmer, and the scripts of China and Japan.
const fn is_written_without_spaces(character: char) -> bool {
    matches!(character as u32,
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x2E80..=0x30FF | 0x31F0..=0x31FF
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

/// Whether a text may be cut at a boundary between words: at white space, or beside a character of a script that is
/// written without spaces.
pub(crate) fn may_break(text: &str, at: usize) -> bool {
    let (before, after) = (text[..at].chars().next_back(), text[at..].chars().next());
    after.is_none_or(char::is_whitespace)
        || before.is_some_and(is_written_without_spaces)
        || after.is_some_and(is_written_without_spaces)
}

/// Whether a text holds an emoji. Signs of older character sets, such as `©` and `™`, are none unless they ask to be
/// shown as one.
pub fn holds_emoji(text: &str) -> bool {
    const SIGNS_UP_TO: char = '\u{22FF}';
    text.chars().any(|character| {
        matches!(character, '\u{FE0F}' | '\u{20E3}') || (character > SIGNS_UP_TO && character.is_emoji_char())
    })
}

/// The words of a text, as Unicode divides it (UAX 29), without spaces and punctuation.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.unicode_words()
}

/// The beginning of a text from outside, fit to be repeated in an error.
pub fn echo(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(limits::ECHO_CHARS_MAX)
        .map(|character| if is_refused(character) { '\u{FFFD}' } else { character })
        .collect();
    if text.chars().nth(limits::ECHO_CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

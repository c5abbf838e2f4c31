//! What a length counts: every unit of the channel table.

mod gsm7;
mod weighted;

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthChar;

pub use self::gsm7::GSM7_FOREIGN;
pub use self::weighted::URL_WEIGHT;
use crate::named::named_enum;
use crate::text;

named_enum! {
    /// What a length counts. The word is the contract's name of the unit.
    Unit {
        Graphemes = "g", "Extended grapheme clusters: what a reader calls a character (UAX 29)";
        CodePoints = "cp", "Unicode code points";
        Utf16 = "u16", "UTF-16 code units";
        Width = "width", "Columns: East Asian wide characters and emoji count 2";
        XWeighted = "xw", "X's weighted count (twitter-text, configuration 3): a URL counts 23";
        Gsm7 = "gsm", "Septets of the GSM-7 alphabet: extension characters count 2";
        Bytes = "bytes", "Bytes of UTF-8";
    }
}

impl Unit {
    /// The length of a text in this unit.
    pub fn count(self, text: &str) -> usize {
        match self {
            Self::Graphemes => text::graphemes(text),
            Self::CodePoints => text.chars().count(),
            Self::Utf16 => text.encode_utf16().count(),
            Self::Width => text.chars().map(columns).sum(),
            Self::XWeighted => weighted::count(&text.nfc().collect::<String>()),
            Self::Gsm7 => text.chars().map(gsm7::septets).fold(0, usize::saturating_add),
            Self::Bytes => text.len(),
        }
    }

    /// The longest beginning of `text` that ends where a word ends and counts at most `limit`, without trailing
    /// space. It is empty where not even the first word fits.
    ///
    /// A word ends before white space, or, in scripts without spaces, where Unicode divides words (UAX 29): "50%" and
    /// "half-price" are never cut. Whether the sentence is complete is for the caller to judge.
    pub fn truncate_at_word(self, text: &str, limit: usize) -> &str {
        let text = text.trim_end();
        if self.count(text) <= limit {
            return text;
        }
        let starts = text.split_word_bound_indices().map(|(start, _)| start).skip(1);
        let ends: Vec<usize> = starts.filter(|&at| text::may_break(text, at)).collect();
        // No address is cut where a text may break, so in every unit a longer beginning counts at least as much.
        let fitting = ends.partition_point(|&end| self.count(text[..end].trim_end()) <= limit);
        let end = fitting.checked_sub(1).map_or(0, |last| ends[last]);
        text[..end].trim_end()
    }
}

/// Columns of one character: 2 for East Asian wide and fullwidth characters and for emoji, otherwise 1.
///
/// Advertising systems count code points, so a combining mark counts as well: the count is never too low.
fn columns(character: char) -> usize {
    match character {
        // The first are wide in the Unicode tables, though a terminal draws them over the character before; from
        // U+1F300 on stand emoji and ideographs.
        '\u{302A}'..='\u{302F}'
        | '\u{3099}'
        | '\u{309A}'
        | '\u{3164}'
        | '\u{16FE4}'
        | '\u{16FF0}'
        | '\u{16FF1}'
        | '\u{1F300}'.. => 2,
        other => other.width().unwrap_or(1).clamp(1, 2),
    }
}

//! One branch's attempt at the next piece of a line: a sentence of a long field, or the whole of a short one.

use adlib_shared::count::Unit;

use super::vocabulary::Vocabulary;
use crate::backend::sampling::Sampled;

/// Most tokens of one stretch; a sentence that is longer is continued as the next stretch.
pub const STRETCH_TOKENS_MAX: usize = 80;

/// Fewest characters of a sentence that is worth a choice of its own; shorter ones take in the next.
const SENTENCE_MIN: usize = 24;

/// How a stretch came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The model ended the line.
    Line,
    /// A sentence is complete; the line may go on.
    Sentence,
    /// The line would count more than its limit.
    Overlong,
    /// It reached [`STRETCH_TOKENS_MAX`].
    Unfinished,
    /// The last token made bytes that are no text, whatever follows; they are left out.
    Broken,
}

/// What bounds a stretch.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// What the line's limit counts.
    pub unit: Unit,
    /// What may still be added.
    pub room: usize,
    /// Whether a sentence ends the stretch.
    pub by_sentence: bool,
}

/// Tokens sampled since the last choice.
#[derive(Debug, Clone, Default)]
pub struct Stretch {
    /// The tokens that stand for `text`, and after [`End::Line`] perhaps less than its last few characters.
    pub tokens: Vec<u32>,
    bytes: Vec<u8>,
    /// Sum of the log-probabilities of all sampled tokens, the one that ended the line included.
    pub log_probability: f32,
    /// Sampled tokens, the one that ended the line included.
    pub sampled: usize,
    /// Set when it is over.
    pub end: Option<End>,
}

impl Stretch {
    /// Takes a token; whether the stretch is over.
    pub fn push(&mut self, sampled: Sampled, vocabulary: &Vocabulary, bounds: Bounds) -> bool {
        self.log_probability += sampled.log_probability;
        self.sampled += 1;
        self.end = self.take(sampled.token, vocabulary, bounds);
        self.end.is_some()
    }

    fn take(&mut self, token: u32, vocabulary: &Vocabulary, bounds: Bounds) -> Option<End> {
        if vocabulary.is_end(token) {
            return Some(End::Line);
        }
        let bytes = vocabulary.tokenizer().token_bytes(token);
        if let Some(line_break) = bytes.iter().position(|&byte| byte == b'\n') {
            // Some vocabularies join the last punctuation and the line break; the text keeps its part of the token.
            self.bytes.extend_from_slice(&bytes[..line_break]);
            return Some(End::Line);
        }
        self.tokens.push(token);
        self.bytes.extend_from_slice(bytes);
        if let Err(error) = std::str::from_utf8(&self.bytes)
            && error.error_len().is_some()
        {
            self.bytes.truncate(error.valid_up_to());
            return Some(End::Broken);
        }
        if bounds.unit.count(&self.text()) > bounds.room {
            return Some(End::Overlong);
        }
        if bounds.by_sentence && self.is_sentence() {
            return Some(End::Sentence);
        }
        (self.tokens.len() >= STRETCH_TOKENS_MAX).then_some(End::Unfinished)
    }

    /// The text so far; bytes of a character that is not complete yet are left out.
    pub fn text(&self) -> String {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => text.to_owned(),
            Err(error) => String::from_utf8_lossy(&self.bytes[..error.valid_up_to()]).into_owned(),
        }
    }

    /// The first tokens whose bytes lie within the first `length` bytes of the text, and how many bytes they cover.
    pub fn tokens_within(&self, length: usize, vocabulary: &Vocabulary) -> (usize, usize) {
        let (mut count, mut covered) = (0, 0);
        for &token in &self.tokens {
            let next = covered + vocabulary.tokenizer().token_bytes(token).len();
            if next > length {
                break;
            }
            (count, covered) = (count + 1, next);
        }
        (count, covered)
    }

    /// Whether it ends as a sentence does: a stop behind a word, not behind a digit, an initial or another stop.
    fn is_sentence(&self) -> bool {
        let [.., before, b'.' | b'!' | b'?'] = self.bytes[..] else { return false };
        self.bytes.len() >= SENTENCE_MIN && (before.is_ascii_lowercase() || b")\"'%".contains(&before))
    }
}

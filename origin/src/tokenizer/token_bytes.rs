//! What each token adds to a text.

use std::borrow::Cow;

use super::byte_alphabet::Bytes;

/// The bytes of every token, end to end.
pub(super) struct TokenBytes {
    bytes: Vec<u8>,
    /// `(tokens + 1)`: where each token's bytes begin.
    starts: Vec<u32>,
    /// The token of each single byte.
    singles: [Option<u32>; 256],
}

/// How a vocabulary writes its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// A character for each byte, as in GPT-2.
    ByteLevel,
    /// Text with U+2581 for a space, and `<0x0A>` for single bytes.
    SentencePiece,
}

impl TokenBytes {
    /// A table of `rows` tokens; `token` gives a token's text, or nothing where it stands for none.
    pub(super) fn new<'a>(
        spelling: Spelling,
        rows: usize,
        token: impl Fn(u32) -> Option<(Cow<'a, str>, Kind)>,
    ) -> Self {
        let alphabet = Bytes::new();
        let mut table = Self { bytes: Vec::new(), starts: vec![0], singles: [None; 256] };
        for id in 0..rows as u32 {
            let start = table.bytes.len();
            match (token(id), spelling) {
                (None, _) => {}
                (Some((text, Kind::Literal)), _) => table.bytes.extend(text.as_bytes()),
                (Some((text, Kind::Normal)), Spelling::ByteLevel) => match alphabet.decode(&text) {
                    Some(bytes) => table.bytes.extend(bytes),
                    None => table.bytes.extend(text.as_bytes()),
                },
                (Some((text, Kind::Normal)), Spelling::SentencePiece) => match single_byte(&text) {
                    Some(byte) => table.bytes.push(byte),
                    None => table.bytes.extend(text.replace('\u{2581}', " ").as_bytes()),
                },
            }
            if let [byte] = table.bytes[start..] {
                table.singles[usize::from(byte)].get_or_insert(id);
            }
            table.starts.push(table.bytes.len() as u32);
        }
        table
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn get(&self, token: u32) -> &[u8] {
        let Some(&[start, end]) = self.starts.get(token as usize..).and_then(|rest| rest.first_chunk())
        else {
            return &[];
        };
        &self.bytes[start as usize..end as usize]
    }

    /// The token of one byte.
    pub(super) fn single(&self, byte: u8) -> Option<u32> {
        self.singles[usize::from(byte)]
    }
}

/// Whether a token's text is spelt or meant literally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// In the vocabulary's spelling.
    Normal,
    /// As it stands: tokens that were added beside the vocabulary.
    Literal,
}

/// The byte of `<0x0A>`.
fn single_byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}

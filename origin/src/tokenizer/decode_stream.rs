//! Text from tokens as they come.

use super::Tokenizer;

/// Turns one token after the other into text and never splits a character: bytes of an unfinished one wait for the
/// next token. All texts together are what [`Tokenizer::decode`] gives for all tokens.
#[derive(Debug, Clone)]
pub struct DecodeStream {
    tokenizer: Tokenizer,
    /// At most three bytes, the beginning of a character.
    waiting: Vec<u8>,
}

impl DecodeStream {
    pub(super) fn new(tokenizer: Tokenizer) -> Self {
        Self { tokenizer, waiting: Vec::new() }
    }

    /// The text that this token completes; often all of it, sometimes none.
    pub fn push(&mut self, token: u32) -> String {
        self.waiting.extend_from_slice(self.tokenizer.token_bytes(token));
        let mut text = String::new();
        let mut complete = 0;
        for chunk in self.waiting.utf8_chunks() {
            text.push_str(chunk.valid());
            complete += chunk.valid().len();
            let invalid = chunk.invalid();
            let at_end = complete + invalid.len() == self.waiting.len();
            if at_end && may_continue(invalid) {
                break;
            }
            if !invalid.is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
                complete += invalid.len();
            }
        }
        self.waiting.drain(..complete);
        text
    }

    /// What waited in vain for its end, as U+FFFD.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.waiting).into_owned()
    }
}

/// Whether bytes are the beginning of a character.
fn may_continue(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

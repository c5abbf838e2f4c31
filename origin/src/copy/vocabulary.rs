//! A tokenizer's vocabulary as the line guide needs it: what each token adds to a text, and which tokens a field allows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use adlib_shared::channel::Field;
use adlib_shared::count::{GSM7_FOREIGN, Unit};

use crate::tokenizer::Tokenizer;

/// First of the blocks that hold nearly all emoji; the few before it are found when the text is checked.
const EMOJI_FROM: char = '\u{1F300}';

/// Allowed tokens, one bit each.
pub type Mask = Arc<[u32]>;

/// What makes fields share a mask: their rules for characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct MaskKey {
    forbidden: &'static [char],
    emoji_forbidden: bool,
    gsm7: bool,
    may_end: bool,
}

/// The tokenizer, and masks over its vocabulary, made when first asked for.
pub struct Vocabulary {
    tokenizer: Arc<Tokenizer>,
    masks: Mutex<HashMap<MaskKey, Mask>>,
}

impl Vocabulary {
    /// The vocabulary of a tokenizer.
    pub fn new(tokenizer: Arc<Tokenizer>) -> Self {
        Self { tokenizer, masks: Mutex::default() }
    }

    /// The tokenizer itself.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Whether the token ends the model's answer.
    pub fn is_end(&self, token: u32) -> bool {
        self.tokenizer.eos().contains(&token)
    }

    /// The tokens that may stand in a field: no special ones, none with a forbidden character; and, while the line may
    /// not end, none that would end it.
    ///
    /// A token that holds only a part of a character's bytes is allowed: what it completes is checked as text.
    pub fn mask(&self, field: &Field, may_end: bool) -> Mask {
        let key = MaskKey {
            forbidden: field.forbidden,
            emoji_forbidden: field.emoji_forbidden,
            gsm7: field.unit == Unit::Gsm7,
            may_end,
        };
        let mut masks = self.masks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(masks.entry(key.clone()).or_insert_with(|| self.build(&key)))
    }

    fn build(&self, key: &MaskKey) -> Mask {
        let vocab = self.tokenizer.vocab_size();
        let mut words = vec![0_u32; vocab.div_ceil(32)];
        for token in 0..vocab as u32 {
            if self.allows(key, token) {
                words[token as usize / 32] |= 1 << (token % 32);
            }
        }
        words.into()
    }

    fn allows(&self, key: &MaskKey, token: u32) -> bool {
        if self.is_end(token) {
            return key.may_end;
        }
        let bytes = self.tokenizer.token_bytes(token);
        if self.tokenizer.is_special(token) || bytes.is_empty() {
            return false;
        }
        if bytes.contains(&b'\n') && !key.may_end {
            return false;
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return true };
        text.chars().all(|character| {
            let control = character.is_control() && character != '\n';
            let foreign = key.gsm7 && Unit::Gsm7.count(character.encode_utf8(&mut [0; 4])) >= GSM7_FOREIGN;
            let emoji = key.emoji_forbidden && character >= EMOJI_FROM;
            !control && !foreign && !emoji && !key.forbidden.contains(&character)
        })
    }
}

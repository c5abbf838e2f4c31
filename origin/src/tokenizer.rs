//! Text to tokens and back, and the chat template: built from what a model's files carry.

pub(crate) mod byte_alphabet;
mod chat_template;
mod decode_stream;
mod error;
mod from_folder;
mod from_gguf;
mod pre_tokenizer;
mod python_json;
mod scored_merges;
mod token_bytes;

use std::collections::HashMap;
use std::sync::Arc;

use tokenizers::{AddedVocabulary, OffsetType, PreTokenizer};

pub(crate) use chat_template::CHATML;
pub use chat_template::{ChatTemplate, Message, TemplateError};
pub use decode_stream::DecodeStream;
pub use error::TokenizerError;
pub(crate) use from_folder::FOLDER_FILES;
use token_bytes::TokenBytes;

/// Control tokens that end an answer wherever they are in a vocabulary, as in llama.cpp.
const END_TEXTS: [&str; 7] =
    ["<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>", "<|end|>", "<end_of_turn>", "</s>"];

/// A model's tokenizer. Clones share its tables.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

struct Inner {
    pipeline: tokenizers::Tokenizer,
    /// The added vocabulary of the pipeline, but with special tokens' text taken as ordinary text.
    plain: AddedVocabulary,
    bytes: TokenBytes,
    special: HashMap<String, u32>,
    begin: Option<u32>,
    end: Vec<u32>,
    chat_template: ChatTemplate,
}

/// What a file format yields for a [`Tokenizer`].
struct Parts {
    pipeline: tokenizers::Tokenizer,
    bytes: TokenBytes,
    /// Control tokens by their text.
    special: HashMap<String, u32>,
    /// The token that a prompt begins with, where the model asks for one.
    begin: Option<u32>,
    /// Tokens that end an answer.
    end: Vec<u32>,
    chat_template: ChatTemplate,
}

impl Tokenizer {
    fn new(parts: Parts) -> Result<Self, TokenizerError> {
        let Parts { pipeline, bytes, special, begin, end, chat_template } = parts;
        let mut added: Vec<_> = pipeline.get_added_tokens_decoder().into_iter().collect();
        added.sort_by_key(|(id, _)| *id);
        let mut plain = AddedVocabulary::new();
        plain
            .add_tokens(
                added.into_iter().map(|(_, token)| token),
                pipeline.get_model(),
                pipeline.get_normalizer(),
            )
            .map_err(TokenizerError::pipeline)?;
        plain.set_encode_special_tokens(true);
        Ok(Self { inner: Arc::new(Inner { pipeline, plain, bytes, special, begin, end, chat_template }) })
    }

    /// The ids of a text. Where `allow_special` is false, text that looks like a special token is encoded as text, as
    /// whatever a client wrote must be.
    ///
    /// Nothing is put in front: [`Tokenizer::begin`] says whether the model wants a token there.
    pub fn encode(&self, text: &str, allow_special: bool) -> Vec<u32> {
        let inner = &*self.inner;
        let added = if allow_special { inner.pipeline.get_added_vocabulary() } else { &inner.plain };
        self.run(added, text).unwrap_or_else(|error| {
            // Pre-tokenizers are regular expressions with a limit on backtracking.
            tracing::warn!(%error, bytes = text.len(), "a text is encoded byte by byte");
            text.bytes().filter_map(|byte| inner.bytes.single(byte)).collect()
        })
    }

    fn run(&self, added: &AddedVocabulary, text: &str) -> tokenizers::Result<Vec<u32>> {
        let pipeline = &self.inner.pipeline;
        let mut pieces = added.extract_and_normalize(pipeline.get_normalizer(), text);
        if let Some(pre_tokenizer) = pipeline.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut pieces)?;
        }
        pieces.tokenize(|piece| tokenizers::Model::tokenize(pipeline.get_model(), piece.get()))?;
        let encoding = pieces.into_encoding(None, 0, OffsetType::None)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of tokens; special ones have none, and bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| self.token_bytes(*token)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A decoder of one token after the other.
    pub fn decode_stream(&self) -> DecodeStream {
        DecodeStream::new(self.clone())
    }

    /// The bytes that a token adds to a text: none for special tokens and for ids without a token.
    pub fn token_bytes(&self, token: u32) -> &[u8] {
        self.inner.bytes.get(token)
    }

    /// Rows of the model's embedding; ids from the tokenizer are below it, and some may have no token.
    pub fn vocab_size(&self) -> usize {
        self.inner.bytes.len()
    }

    /// The id of a special token by its text: `<|im_end|>`.
    pub fn special(&self, text: &str) -> Option<u32> {
        self.inner.special.get(text).copied()
    }

    /// Whether a token is a control token or no token at all: it stands for no text.
    pub fn is_special(&self, token: u32) -> bool {
        self.token_bytes(token).is_empty()
    }

    /// Tokens that end an answer.
    pub fn eos(&self) -> &[u32] {
        &self.inner.end
    }

    /// The token that a prompt must begin with, unless its template writes it.
    pub fn begin(&self) -> Option<u32> {
        self.inner.begin
    }

    /// How messages become a prompt.
    pub fn chat_template(&self) -> &ChatTemplate {
        &self.inner.chat_template
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("vocab_size", &self.vocab_size()).field("eos", &self.eos()).finish()
    }
}

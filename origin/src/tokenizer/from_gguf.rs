//! A tokenizer from a GGUF file's metadata.

use std::borrow::Cow;
use std::collections::HashMap;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::{Prepend, Replace, Sequence};
use tokenizers::{AddedToken, ModelWrapper, NormalizerWrapper};

use super::chat_template::{ChatTemplate, SpecialTexts};
use super::error::TokenizerError;
use super::token_bytes::{Kind, Spelling, TokenBytes};
use super::{END_TEXTS, Parts, Tokenizer, pre_tokenizer, scored_merges};
use crate::model::config::ConfigError;
use crate::model::gguf::Metadata;

// `tokenizer.ggml.token_type`, as llama.cpp numbers them.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const UNUSED: i64 = 5;

/// A file's vocabulary: `(tokens)` each.
struct Vocabulary<'a> {
    tokens: &'a [String],
    types: Vec<i64>,
    ids: HashMap<&'a str, u32>,
}

impl Tokenizer {
    /// Builds the tokenizer that the metadata describe, for an embedding of `rows` rows.
    pub fn from_gguf(metadata: &Metadata, rows: usize) -> Result<Self, TokenizerError> {
        let vocabulary = Vocabulary::read(metadata, rows)?;
        let kind = metadata.text("tokenizer.ggml.model")?.ok_or_else(|| missing("tokenizer.ggml.model"))?;
        let (mut pipeline, spelling) = match kind {
            "gpt2" => (byte_level(metadata, &vocabulary)?, Spelling::ByteLevel),
            "llama" => (sentence_piece(metadata, &vocabulary)?, Spelling::SentencePiece),
            other => {
                let expected = "gpt2 (byte-level) and llama (SentencePiece) are supported";
                return Err(ConfigError::new("tokenizer.ggml.model", other, expected).into());
            }
        };
        pipeline.add_tokens(vocabulary.added()).map_err(TokenizerError::pipeline)?;
        let begin = token_id(metadata, "bos", rows)?;
        let end = token_id(metadata, "eos", rows)?;
        let add_begin = metadata.boolean("tokenizer.ggml.add_bos_token")?;
        let source = metadata.text("tokenizer.chat_template")?;
        let texts = SpecialTexts { begin: vocabulary.text(begin), end: vocabulary.text(end) };
        Tokenizer::new(Parts {
            pipeline,
            bytes: TokenBytes::new(spelling, rows, |id| vocabulary.spelt(id)),
            special: vocabulary.special(),
            // Llama.cpp's rule for files that do not say: SentencePiece models begin with it.
            begin: begin.filter(|_| add_begin.unwrap_or(spelling == Spelling::SentencePiece)),
            end: vocabulary.ends(end, token_id(metadata, "eot", rows)?),
            chat_template: ChatTemplate::new(source, texts)?,
        })
    }
}

impl<'a> Vocabulary<'a> {
    fn read(metadata: &'a Metadata, rows: usize) -> Result<Self, TokenizerError> {
        let key = "tokenizer.ggml.tokens";
        let tokens = metadata.texts(key)?.ok_or_else(|| missing(key))?;
        if tokens.len() > rows {
            return Err(TokenizerError::OutOfVocabulary { id: rows as u32, rows });
        }
        let key = "tokenizer.ggml.token_type";
        let types = metadata.integers(key)?.unwrap_or_else(|| vec![1; tokens.len()]);
        if types.len() != tokens.len() {
            let expected = format!("one for each of the {} tokens is needed", tokens.len());
            return Err(ConfigError::new(key, format!("{} long", types.len()), expected).into());
        }
        let mut ids = HashMap::with_capacity(tokens.len());
        for (id, token) in tokens.iter().enumerate() {
            if let Some(first) = ids.insert(token.as_str(), id as u32) {
                return Err(TokenizerError::DuplicateToken { text: token.clone(), first, second: id as u32 });
            }
        }
        Ok(Self { tokens, types, ids })
    }

    fn text(&self, id: Option<u32>) -> String {
        id.and_then(|id| self.tokens.get(id as usize)).cloned().unwrap_or_default()
    }

    fn of_type(&self, wanted: i64) -> impl Iterator<Item = (u32, &'a String)> {
        let with_type = self.tokens.iter().zip(&self.types).enumerate();
        with_type.filter(move |(_, (_, kind))| **kind == wanted).map(|(id, (token, _))| (id as u32, token))
    }

    fn special(&self) -> HashMap<String, u32> {
        self.of_type(CONTROL).map(|(id, token)| (token.clone(), id)).collect()
    }

    fn added(&self) -> Vec<AddedToken> {
        let mut added: Vec<_> = self.of_type(CONTROL).map(|(id, token)| (id, token, true)).collect();
        added.extend(self.of_type(USER_DEFINED).map(|(id, token)| (id, token, false)));
        added.sort_by_key(|(id, ..)| *id);
        let token = |(_, text, special): (u32, &String, bool)| {
            AddedToken::from(text.as_str(), special).normalized(false)
        };
        added.into_iter().map(token).collect()
    }

    fn spelt(&self, id: u32) -> Option<(Cow<'a, str>, Kind)> {
        let token = Cow::Borrowed(self.tokens.get(id as usize)?.as_str());
        match self.types[id as usize] {
            CONTROL | UNKNOWN | UNUSED => None,
            USER_DEFINED => Some((token, Kind::Literal)),
            _ => Some((token, Kind::Normal)),
        }
    }

    fn ends(&self, eos: Option<u32>, eot: Option<u32>) -> Vec<u32> {
        let named = END_TEXTS.iter().filter_map(|text| self.ids.get(text).copied());
        let control = named.filter(|id| self.types[*id as usize] == CONTROL);
        let mut ends: Vec<u32> = eos.into_iter().chain(eot).chain(control).collect();
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    fn map(&self) -> Vocab {
        self.tokens.iter().cloned().zip(0..).collect()
    }
}

fn byte_level(
    metadata: &Metadata,
    vocabulary: &Vocabulary<'_>,
) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let key = "tokenizer.ggml.merges";
    let merges = metadata.texts(key)?.ok_or_else(|| missing(key))?;
    let pairs = merges.iter().enumerate().map(|(index, merge)| {
        let refused = || TokenizerError::Merge { index, merge: merge.clone() };
        let (left, right) = merge.split_once(' ').ok_or_else(refused)?;
        let known = |text: &str| vocabulary.ids.contains_key(text);
        if known(left) && known(right) && known(&format!("{left}{right}")) {
            Ok((left.to_owned(), right.to_owned()))
        } else {
            Err(refused())
        }
    });
    let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
    let steps = pre_tokenizer::steps(metadata.text("tokenizer.ggml.pre")?.unwrap_or("default"))?;
    let model = BPE::builder().vocab_and_merges(vocabulary.map(), pairs).ignore_merges(steps.ignore_merges);
    let mut pipeline = pipeline(model.build().map_err(TokenizerError::pipeline)?);
    pipeline.with_normalizer(steps.normalizer).map_err(TokenizerError::pipeline)?;
    pipeline.with_pre_tokenizer(Some(steps.pre_tokenizer));
    Ok(pipeline)
}

fn sentence_piece(
    metadata: &Metadata,
    vocabulary: &Vocabulary<'_>,
) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let key = "tokenizer.ggml.scores";
    let scores = metadata.floats(key)?.ok_or_else(|| missing(key))?;
    let merges = scored_merges::merges(vocabulary.tokens, scores, &vocabulary.ids);
    let unknown =
        vocabulary.of_type(UNKNOWN).next().map_or_else(|| "<unk>".to_owned(), |(_, text)| text.clone());
    if !vocabulary.ids.contains_key(unknown.as_str()) {
        return Err(
            ConfigError::new("the unknown token", "missing", "SentencePiece vocabularies need one").into()
        );
    }
    let model = BPE::builder().vocab_and_merges(vocabulary.map(), merges).unk_token(unknown);
    let model = model.fuse_unk(true).byte_fallback(true).build().map_err(TokenizerError::pipeline)?;
    let mut pipeline = pipeline(model);
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    if metadata.boolean("tokenizer.ggml.add_space_prefix")?.unwrap_or(true) {
        steps.push(Prepend::new("\u{2581}".into()).into());
    }
    steps.push(Replace::new(" ", "\u{2581}").map_err(TokenizerError::pipeline)?.into());
    pipeline.with_normalizer(Some(Sequence::new(steps))).map_err(TokenizerError::pipeline)?;
    Ok(pipeline)
}

fn pipeline(model: BPE) -> tokenizers::Tokenizer {
    tokenizers::Tokenizer::new(ModelWrapper::from(model))
}

/// The id that `tokenizer.ggml.<name>_token_id` gives, below `rows`.
fn token_id(metadata: &Metadata, name: &str, rows: usize) -> Result<Option<u32>, TokenizerError> {
    let Some(id) = metadata.integer(&format!("tokenizer.ggml.{name}_token_id"))? else { return Ok(None) };
    if id >= rows {
        return Err(TokenizerError::OutOfVocabulary { id: id as u32, rows });
    }
    Ok(Some(id as u32))
}

fn missing(key: &str) -> ConfigError {
    ConfigError::new(key, "missing", "the key is required")
}

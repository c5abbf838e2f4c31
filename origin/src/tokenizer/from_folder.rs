//! A tokenizer from the files of a Hugging Face folder.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use tokenizers::DecoderWrapper;

use super::chat_template::{ChatTemplate, SpecialTexts};
use super::error::TokenizerError;
use super::token_bytes::{Kind, Spelling, TokenBytes};
use super::{END_TEXTS, Parts, Tokenizer};
use crate::model::config::ConfigError;
use crate::model::json_file;
use crate::model::load_error::LoadError;

const TOKENIZER_FILE: &str = "tokenizer.json";
const SETTINGS_FILE: &str = "tokenizer_config.json";
const TEMPLATE_FILE: &str = "chat_template.jinja";
const GENERATION_FILE: &str = "generation_config.json";
/// The files that are read, where they are there.
pub(crate) const FOLDER_FILES: [&str; 4] = [TOKENIZER_FILE, SETTINGS_FILE, TEMPLATE_FILE, GENERATION_FILE];

/// `tokenizer_config.json`.
#[derive(Debug, Default, Deserialize)]
struct Settings {
    bos_token: Option<TokenText>,
    eos_token: Option<TokenText>,
    chat_template: Option<Templates>,
}

/// A token's text, or an object that holds it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TokenText {
    Text(String),
    Object { content: String },
}

/// One template, or several with names.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Named(Vec<NamedTemplate>),
}

#[derive(Debug, Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

/// `generation_config.json`, and the same key in `config.json`.
#[derive(Debug, Default, Deserialize)]
struct Generation {
    eos_token_id: Option<EndIds>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum EndIds {
    One(u32),
    Several(Vec<u32>),
}

impl Tokenizer {
    /// Builds the tokenizer of a Hugging Face folder, for an embedding of `rows` rows.
    pub fn from_folder(folder: &Path, rows: usize) -> Result<Self, LoadError> {
        let path = folder.join(TOKENIZER_FILE);
        let refused = LoadError::tokenizer(&path);
        let pipeline =
            tokenizers::Tokenizer::from_bytes(json_file::bytes(&path)?).map_err(TokenizerError::pipeline);
        let settings: Settings = json_file::read_if_present(&folder.join(SETTINGS_FILE))?.unwrap_or_default();
        let template_path = folder.join(TEMPLATE_FILE);
        let template = match template_path.exists().then(|| json_file::bytes(&template_path)).transpose()? {
            Some(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            None => settings.template(),
        };
        let mut ends = Vec::new();
        for name in [GENERATION_FILE, crate::model::huggingface::CONFIG_FILE] {
            let generation: Option<Generation> = json_file::read_if_present(&folder.join(name))?;
            ends.extend(
                generation
                    .and_then(|generation| generation.eos_token_id)
                    .map(EndIds::all)
                    .unwrap_or_default(),
            );
        }
        pipeline
            .and_then(|pipeline| parts(pipeline, rows, &settings, template.as_deref(), ends))
            .map_err(refused)
    }
}

fn parts(
    pipeline: tokenizers::Tokenizer,
    rows: usize,
    settings: &Settings,
    template: Option<&str>,
    mut end: Vec<u32>,
) -> Result<Tokenizer, TokenizerError> {
    let vocabulary = pipeline.get_vocab(true);
    if let Some(id) = vocabulary.values().copied().chain(end.iter().copied()).find(|id| *id as usize >= rows)
    {
        return Err(TokenizerError::OutOfVocabulary { id, rows });
    }
    let texts =
        SpecialTexts { begin: text(settings.bos_token.as_ref()), end: text(settings.eos_token.as_ref()) };
    let added = pipeline.get_added_tokens_decoder();
    let special: HashMap<String, u32> = added
        .iter()
        .filter(|(_, token)| token.special)
        .map(|(id, token)| (token.content.clone(), *id))
        .collect();
    end.extend(special.get(&texts.end));
    end.extend(END_TEXTS.iter().filter_map(|text| special.get(*text)));
    end.sort_unstable();
    end.dedup();
    // What the post-processor puts in front of an empty text is what the model wants in front of every text.
    let empty = pipeline.encode_fast("", true).map_err(TokenizerError::pipeline)?;
    let begin = empty.get_ids().first().copied().filter(|id| special.get(&texts.begin) == Some(id));
    let spelling = spelling(&pipeline)?;
    let bytes = TokenBytes::new(spelling, rows, |id| match added.get(&id) {
        Some(token) if token.special => None,
        Some(token) => Some((Cow::Borrowed(token.content.as_str()), Kind::Literal)),
        None => pipeline.id_to_token(id).map(|text| (Cow::Owned(text), Kind::Normal)),
    });
    let chat_template = ChatTemplate::new(template, texts)?;
    Tokenizer::new(Parts { pipeline, bytes, special, begin, end, chat_template })
}

/// How the vocabulary writes bytes, which the decoder tells.
fn spelling(pipeline: &tokenizers::Tokenizer) -> Result<Spelling, TokenizerError> {
    match pipeline.get_decoder() {
        Some(DecoderWrapper::ByteLevel(_)) => Ok(Spelling::ByteLevel),
        Some(DecoderWrapper::Sequence(steps))
            if steps.get_decoders().iter().any(|step| matches!(step, DecoderWrapper::ByteFallback(_))) =>
        {
            Ok(Spelling::SentencePiece)
        }
        _ => {
            let expected = "byte-level and SentencePiece with byte fallback are supported";
            Err(ConfigError::new("the tokenizer's decoder", "of another kind", expected).into())
        }
    }
}

fn text(token: Option<&TokenText>) -> String {
    match token {
        None => String::new(),
        Some(TokenText::Text(text) | TokenText::Object { content: text }) => text.clone(),
    }
}

impl Settings {
    fn template(&self) -> Option<String> {
        match self.chat_template.as_ref()? {
            Templates::One(template) => Some(template.clone()),
            Templates::Named(templates) => {
                let default = templates.iter().find(|template| template.name == "default");
                default.map(|template| template.template.clone())
            }
        }
    }
}

impl EndIds {
    fn all(self) -> Vec<u32> {
        match self {
            Self::One(id) => vec![id],
            Self::Several(ids) => ids,
        }
    }
}

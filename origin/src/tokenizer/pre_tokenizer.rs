//! How a text is cut before byte pairs are merged, by GGUF's `tokenizer.ggml.pre`.
//!
//! The expressions are the published tokenizers' own (their `tokenizer.json`); `default` is what llama.cpp does for
//! files that name none (`llama-vocab.cpp`).

use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{NormalizerWrapper, SplitDelimiterBehavior};

use super::error::TokenizerError;
use crate::model::config::ConfigError;

const GPT_2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN_2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const DEFAULT: [&str; 4] = [r"[\p{P}\$\+<=>\^~\|]+", GPT_2, r"\p{N}+", "[0-9][0-9][0-9]"];

/// The steps before byte pairs are merged.
pub(super) struct Steps {
    pub(super) normalizer: Option<NormalizerWrapper>,
    pub(super) pre_tokenizer: PreTokenizerWrapper,
    /// A piece that is a token as a whole is not cut and merged again.
    pub(super) ignore_merges: bool,
}

/// The steps for an id of `tokenizer.ggml.pre`.
pub(super) fn steps(id: &str) -> Result<Steps, TokenizerError> {
    let plain = |pre_tokenizer| Steps { normalizer: None, pre_tokenizer, ignore_merges: false };
    Ok(match id {
        "gpt-2" | "gpt2" => plain(sequence(vec![byte_level(true)])),
        "smollm" | "starcoder" | "refact" | "command-r" => {
            plain(sequence(vec![Digits::new(true).into(), byte_level(true)]))
        }
        "llama-bpe" | "llama3" | "llama-v3" => Steps { ignore_merges: true, ..plain(split_by(&[LLAMA_3])?) },
        "qwen2" | "deepseek-r1-qwen" => Steps { normalizer: Some(NFC.into()), ..plain(split_by(&[QWEN_2])?) },
        "tekken" => Steps { ignore_merges: true, ..plain(split_by(&[TEKKEN])?) },
        "default" => plain(split_by(&DEFAULT)?),
        other => {
            let expected = "gpt-2, smollm, llama-bpe, qwen2, tekken and default are supported";
            return Err(ConfigError::new("tokenizer.ggml.pre", other, expected).into());
        }
    })
}

fn byte_level(use_regex: bool) -> PreTokenizerWrapper {
    ByteLevel::new(false, true, use_regex).into()
}

fn sequence(steps: Vec<PreTokenizerWrapper>) -> PreTokenizerWrapper {
    Sequence::new(steps).into()
}

/// One split after the other, then bytes as characters.
fn split_by(expressions: &[&str]) -> Result<PreTokenizerWrapper, TokenizerError> {
    let splits = expressions.iter().map(|expression| {
        let pattern = SplitPattern::Regex((*expression).into());
        Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map(PreTokenizerWrapper::from)
    });
    let mut steps = splits.collect::<tokenizers::Result<Vec<_>>>().map_err(TokenizerError::pipeline)?;
    steps.push(byte_level(false));
    Ok(sequence(steps))
}

//! How many tokens a brief is taken to use before it is written.

use adlib_shared::brief::Brief;

/// Tokens of the instructions around a brief.
const PROMPT_TOKENS: usize = 64;
/// Bytes of a brief that are a token of its prompt: English text has about so many.
const BYTES_PER_TOKEN: usize = 4;
/// No text is taken to be longer, whatever its channel allows, in the field's unit.
const TEXT_MAX: usize = 600;

/// The tokens of the prompt and of all variants. A token is some four characters, and a sentence is chosen of about as
/// many that are written, so that a variant takes about as many tokens as it may have characters.
pub fn estimate(brief: &Brief) -> u32 {
    let prompt = PROMPT_TOKENS + brief.sources().map(str::len).sum::<usize>() / BYTES_PER_TOKEN;
    let texts = brief.channel.fields.iter().map(|field| {
        let limit = brief.limit_hard(field).or(field.limit_recommended).unwrap_or(TEXT_MAX);
        field.count_min.max(1) * limit.min(field.limit_recommended.unwrap_or(TEXT_MAX)).min(TEXT_MAX)
    });
    u32::try_from(prompt + brief.variants * texts.sum::<usize>()).unwrap_or(u32::MAX)
}

//! The prompt of a brief: the card alone for the house copywriter, the card with instructions around it for other models.
//!
//! What a client wrote is encoded as plain text, so that no brief can hold a control token.

use std::fmt::Write;
use std::time::SystemTime;

use adlib_shared::brief::Brief;

use super::card::card;
use super::plan::Line;
use crate::tokenizer::{Message, TemplateError, Tokenizer};

/// How a loaded model is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptStyle {
    /// As the house copywriter was trained: the card and nothing else, whatever the chat template would add.
    House,
    /// For a model that follows instructions: they go before the card, in the model's chat template.
    Instructed,
}

/// Stand for the two messages while the template is rendered; private-use characters that no template writes.
const SYSTEM: &str = "\u{F8F0}";
const USER: &str = "\u{F8F1}";

impl PromptStyle {
    /// The prompt's tokens, up to and including the name of the first line that is to be written.
    pub fn tokens(
        self,
        tokenizer: &Tokenizer,
        brief: &Brief,
        lines: &[Line],
    ) -> Result<Vec<u32>, TemplateError> {
        let card = card(brief);
        let mut tokens = match self {
            Self::House => house(tokenizer, &card),
            Self::Instructed => instructed(tokenizer, &instructions(brief, lines), &card)?,
        };
        tokens.extend(tokenizer.encode(&format!("{}:", lines[0].field.name), false));
        Ok(tokens)
    }
}

fn house(tokenizer: &Tokenizer, card: &str) -> Vec<u32> {
    let mut tokens = tokenizer.encode("<|im_start|>user\n", true);
    tokens.extend(tokenizer.encode(card, false));
    tokens.extend(tokenizer.encode("<|im_end|>\n<|im_start|>assistant\n", true));
    tokens
}

fn instructed(tokenizer: &Tokenizer, instructions: &str, card: &str) -> Result<Vec<u32>, TemplateError> {
    let messages = [Message { role: "system", content: SYSTEM }, Message { role: "user", content: USER }];
    let template = tokenizer.chat_template();
    // Some templates refuse a system message; then the instructions open the user's.
    let frame = template.render(&messages, true, SystemTime::now());
    let (frame, user) = match frame {
        Ok(frame) if frame.contains(SYSTEM) => (frame, card.to_owned()),
        _ => (template.render(&messages[1..], true, SystemTime::now())?, format!("{instructions}\n\n{card}")),
    };
    let mut tokens: Vec<u32> = tokenizer.begin().into_iter().collect();
    let mut rest = frame.as_str();
    while let Some(at) = rest.find([SYSTEM, USER].map(first)) {
        tokens.extend(tokenizer.encode(&rest[..at], true));
        let content = if rest[at..].starts_with(SYSTEM) { instructions } else { &user };
        tokens.extend(tokenizer.encode(content, false));
        rest = &rest[at + SYSTEM.len()..];
    }
    tokens.extend(tokenizer.encode(rest, true));
    Ok(tokens)
}

fn first(text: &str) -> char {
    text.chars().next().unwrap_or_default()
}

/// What a model that was not trained on cards is told.
fn instructions(brief: &Brief, lines: &[Line]) -> String {
    let mut text = format!(
        "You are a copywriter. Write the copy of the brief for {}. Use only facts, numbers and names that stand in \
         the brief. Answer with these lines and nothing else, each as its name, a colon and the text:",
        brief.channel.name
    );
    for line in lines {
        let _ = write!(text, "\n{}: (at most {} characters)", line.field.name, line.limit);
    }
    text
}

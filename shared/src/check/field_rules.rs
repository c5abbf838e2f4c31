//! The rules that look at one field of a channel.

use std::collections::BTreeMap;

use super::asked::Asked;
use super::checker::Piece;
use super::{Check, Rule, unfinished};
use crate::channel::Field;
use crate::count::{GSM7_FOREIGN, Unit};
use crate::text;

/// Applies every rule of the field to its texts.
pub(super) fn check(field: &Field, pieces: &[Piece<'_>], asked: &Asked, checks: &mut Vec<Check>) {
    checks.push(count(field, pieces.len()));
    if pieces.is_empty() {
        return;
    }
    for piece in pieces {
        lengths(field, piece, asked, checks);
    }
    if let Some(limit) = field.limit_shortest {
        let counted = pieces.iter().map(|piece| field.unit.count(piece.text)).min().unwrap_or_default();
        let check = Check::measured(Rule::LengthShortest, field.name, limit, counted, counted <= limit);
        checks.push(check.in_unit(field.unit).into_advice());
    }
    each(Rule::NotEmpty, field.name, pieces, checks, |piece| {
        let trimmed = piece.text.trim();
        let padded = trimmed.len() != piece.text.len();
        (trimmed.is_empty() || padded)
            .then(|| if padded { "is padded with white space" } else { "is empty" }.into())
    });
    if !field.forbidden.is_empty() || field.emoji_forbidden {
        each(Rule::ForbiddenCharacters, field.name, pieces, checks, |piece| forbidden(field, piece.text));
    }
    if field.distinct {
        distinct(field, pieces, checks);
    }
    if field.hashtag {
        each(Rule::Hashtag, field.name, pieces, checks, |piece| not_a_hashtag(piece.text));
    }
    if let Some(limit) = field.word_repeats_max {
        word_repeats(limit, pieces, checks);
    }
    each(Rule::Unfinished, field.name, pieces, checks, |piece| unfinished::reason(piece.text, asked.english));
}

/// Reports a rule once for the field where it holds for all texts, and otherwise for each text that breaks it.
pub(super) fn each(
    rule: Rule,
    field: &str,
    pieces: &[Piece<'_>],
    checks: &mut Vec<Check>,
    fault: impl Fn(&Piece<'_>) -> Option<String>,
) {
    let before = checks.len();
    for piece in pieces {
        checks.extend(fault(piece).map(|detail| Check::failed(rule, &piece.path, detail)));
    }
    if checks.len() == before {
        checks.push(Check::held(rule, field));
    }
}

fn count(field: &Field, counted: usize) -> Check {
    let (limit, ok) = if counted < field.count_min {
        (field.count_min, false)
    } else {
        (field.count_max, counted <= field.count_max)
    };
    Check::measured(Rule::Count, field.name, limit, counted, ok)
}

fn lengths(field: &Field, piece: &Piece<'_>, asked: &Asked, checks: &mut Vec<Check>) {
    let counted = field.unit.count(piece.text);
    let measured =
        |rule, limit, ok| Check::measured(rule, &piece.path, limit, counted, ok).in_unit(field.unit);
    if field.length_min > 1 {
        checks.push(measured(Rule::LengthMin, field.length_min, counted >= field.length_min));
    }
    if let Some(limit) = asked.limit_hard(field) {
        let check = measured(Rule::Length, limit, counted <= limit);
        checks.push(if field.unit == Unit::Gsm7 && counted >= GSM7_FOREIGN {
            check.with_detail(foreign(piece.text))
        } else {
            check
        });
    }
    if let Some(limit) = field.limit_recommended {
        checks.push(measured(Rule::LengthRecommended, limit, counted <= limit).into_advice());
    }
}

fn foreign(text: &str) -> String {
    let foreign =
        text.chars().find(|&character| Unit::Gsm7.count(character.encode_utf8(&mut [0; 4])) >= GSM7_FOREIGN);
    foreign.map_or_else(String::new, |character| format!("\"{character}\" is not in the GSM-7 alphabet"))
}

fn forbidden(field: &Field, text: &str) -> Option<String> {
    if let Some(found) = text.chars().find(|character| field.forbidden.contains(character)) {
        return Some(format!("holds \"{found}\""));
    }
    (field.emoji_forbidden && text::holds_emoji(text)).then(|| "holds an emoji".to_owned())
}

fn not_a_hashtag(text: &str) -> Option<String> {
    let Some(tag) = text.strip_prefix('#') else { return Some("does not begin with #".to_owned()) };
    let stray = tag.chars().find(|&character| {
        let mark = unicode_normalization::char::is_combining_mark(character);
        !(character.is_alphanumeric()
            || mark
            || character == '_'
            || text::holds_emoji(character.encode_utf8(&mut [0; 4])))
    });
    match stray {
        Some(stray) => Some(format!("holds \"{stray}\"")),
        None => tag.chars().all(char::is_numeric).then(|| "holds no letter".to_owned()),
    }
}

fn distinct(field: &Field, pieces: &[Piece<'_>], checks: &mut Vec<Check>) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let before = checks.len();
    for piece in pieces {
        let text = spaced(&piece.folded);
        match seen.get(&text) {
            Some(first) => {
                checks.push(Check::failed(Rule::Distinct, &piece.path, format!("repeats {first}")));
            }
            None => _ = seen.insert(text, &piece.path),
        }
    }
    if checks.len() == before {
        checks.push(Check::held(Rule::Distinct, field.name));
    }
}

/// Whether a text stands among those before it.
pub(super) fn repeats<'t>(piece: &Piece<'_>, earlier: impl IntoIterator<Item = &'t str>) -> bool {
    let text = spaced(&piece.folded);
    earlier.into_iter().any(|earlier| spaced(&text::fold(earlier)) == text)
}

/// A folded text with one space between words.
fn spaced(folded: &str) -> String {
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Words that may stand in a title any number of times.
const FUNCTION_WORDS: [&str; 18] = [
    "the", "and", "or", "of", "to", "for", "with", "in", "on", "at", "by", "from", "an", "as", "is", "it",
    "per", "over",
];

fn word_repeats(limit: usize, pieces: &[Piece<'_>], checks: &mut Vec<Check>) {
    for piece in pieces {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for word in text::words(&piece.folded) {
            let carries = word.chars().count() > 1 && word.contains(char::is_alphabetic);
            if carries && !FUNCTION_WORDS.contains(&word) {
                *counts.entry(word).or_default() += 1;
            }
        }
        let most = counts.into_iter().max_by_key(|&(_, count)| count).unwrap_or_default();
        let check = Check::measured(Rule::WordRepeats, &piece.path, limit, most.1, most.1 <= limit);
        checks.push(if most.1 > limit { check.with_detail(format!("\"{}\"", most.0)) } else { check });
    }
}

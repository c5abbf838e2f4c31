//! Claims that a brief does not bear out although it may hold each of their words.
//!
//! Small models garble names, give a number to another thing ("22 kinds of dosa" becomes "22 shelves") and deny what
//! they were told ("no vegan menu"). Each is found from the words around it; none is certain, so a doubt is a reason
//! to prefer another wording and never to refuse one.

use std::collections::BTreeSet;

use super::content::{self, Source, lettered, stem};
use crate::brief::Brief;
use crate::check::numbers;
use crate::text;

/// Letters of the shortest name whose garbled forms are looked for.
const NAME_LETTERS_MIN: usize = 6;
/// Letters from which a name is known again with two of them wrong.
const TWO_ERRORS_FROM: usize = 8;
/// Words behind a negation among which stands what it denies.
const NEGATION_REACH: usize = 4;

/// What makes a claim doubtful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// A name that the brief does not hold.
    Name,
    /// Nearly a name of the brief.
    GarbledName,
    /// A number of something that the brief does not speak of.
    Quantity,
    /// A denial of something that the brief does not deny.
    Negation,
}

/// What a brief says of names, quantities and what there is not.
#[derive(Debug)]
pub(super) struct Claims {
    /// Every word as it is written.
    written: BTreeSet<String>,
    /// Stems of what stands behind numbers: "46cm" is one word.
    counted: BTreeSet<String>,
    /// Names, folded.
    names: BTreeSet<String>,
    /// Stems of what is denied.
    denied: BTreeSet<String>,
}

impl Claims {
    pub(super) fn of(brief: &Brief) -> Self {
        let (mut written, mut things) = (BTreeSet::new(), BTreeSet::new());
        let (mut names, mut denied) = (BTreeSet::new(), BTreeSet::new());
        names.extend(text::words(&brief.product.name).map(text::fold));
        for source in brief.sources() {
            let words: Vec<(usize, &str)> = lettered(source).collect();
            names.extend(content::names(source, &words).into_iter().map(text::fold));
            written.extend(words.iter().map(|(_, word)| (*word).to_owned()));
            things.extend(counted(source).iter().map(|thing| stem(thing)));
            denied.extend(denials(source).into_iter().flatten());
        }
        names
            .retain(|name| name.chars().count() >= NAME_LETTERS_MIN && name.chars().all(char::is_alphabetic));
        Self { written, counted: things, names, denied }
    }

    /// The doubtful claims of a text, one entry each, in the order of [`Doubt`]; `source` is the same brief's.
    pub(super) fn doubts(&self, source: &Source, text: &str) -> Vec<Doubt> {
        let words: Vec<(usize, &str)> = lettered(text).collect();
        let is_tag = |at: usize| text[..at].ends_with(['#', '@']);
        let names = content::names(text, &words);
        let mut doubts = Vec::new();
        for &(_, word) in words.iter().filter(|(at, word)| !is_tag(*at) && !word.contains('.')) {
            let folded = text::fold(word);
            if content::is_function_word(&folded) || self.holds(source, &stem(&folded)) {
                if has_inner_capital(word) && !self.written.contains(word) {
                    doubts.push(Doubt::GarbledName);
                }
            } else if self.names.iter().any(|name| is_nearly(name, &folded)) {
                doubts.push(Doubt::GarbledName);
            } else if names.contains(word) {
                doubts.push(Doubt::Name);
            }
        }
        let unknown = |thing: &&String| !self.speaks_of(source, thing);
        doubts.extend(counted(text).iter().filter(unknown).map(|_| Doubt::Quantity));
        let new = |denied: &&Vec<String>| !denied.iter().any(|stem| self.denied.contains(stem));
        doubts.extend(denials(text).iter().filter(new).map(|_| Doubt::Negation));
        doubts.sort_unstable();
        doubts
    }

    fn holds(&self, source: &Source, stem: &str) -> bool {
        source.holds(stem) || self.counted.contains(stem)
    }

    fn speaks_of(&self, source: &Source, folded: &str) -> bool {
        let stem = stem(folded);
        content::is_function_word(folded) || self.holds(source, &stem) || content::is_copy_word(folded, &stem)
    }
}

/// A capital behind a small letter.
fn has_inner_capital(word: &str) -> bool {
    word.chars().zip(word.chars().skip(1)).any(|(left, right)| left.is_lowercase() && right.is_uppercase())
}

/// Whether a word is the name with a letter or two wrong; inflected forms were found by their stem before.
fn is_nearly(name: &str, word: &str) -> bool {
    let letters = name.chars().count();
    let errors_max = if letters >= TWO_ERRORS_FROM { 2 } else { 1 };
    letters.abs_diff(word.chars().count()) <= errors_max && strsim::osa_distance(name, word) <= errors_max
}

/// What stands right behind each number, folded: "300 books", "46cm", "52-inch".
fn counted(text: &str) -> Vec<String> {
    let prepared = numbers::prepare(text);
    let behind = numbers::numbers(&prepared).into_iter().map(|number| {
        let rest = &prepared[number.span.1..];
        let rest = rest.strip_prefix([' ', '-']).unwrap_or(rest);
        let end = rest.find(|character: char| !character.is_alphabetic()).unwrap_or(rest.len());
        text::fold(&rest[..end])
    });
    behind.filter(|thing| !thing.is_empty()).collect()
}

/// For each negation of a text, stems of the words that it may deny: the content words right behind it, and for
/// "sugar-free" what stands before it.
fn denials(text: &str) -> Vec<Vec<String>> {
    let folded = text::fold(text);
    folded.split(['.', '!', '?', ';', ':', '\n']).flat_map(denials_of_sentence).collect()
}

fn denials_of_sentence(sentence: &str) -> Vec<Vec<String>> {
    let words: Vec<&str> = text::words(sentence).collect();
    let is_content = |word: &&&str| !content::is_function_word(word);
    let mut denials = Vec::new();
    for (at, &word) in words.iter().enumerate() {
        if matches!(word, "no" | "not" | "never" | "without" | "none" | "nor") || word.ends_with("n't") {
            let behind = words[at + 1..].iter().take(NEGATION_REACH).filter(is_content).take(2);
            denials.push(behind.map(|word| stem(word)).collect());
        } else if word == "free" && at > 0 && sentence.contains(&format!("{}-free", words[at - 1])) {
            denials.push(vec![stem(words[at - 1])]);
        }
    }
    denials
}

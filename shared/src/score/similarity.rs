//! How much texts repeat themselves and each other.

use std::collections::BTreeSet;

use crate::copy::Fields;
use crate::text;

/// How much a copy differs from others: 1 minus the greatest share of character trigrams that it has in common with
/// one of them (Jaccard). Alone it is 1.
pub fn distinctness<'a>(fields: &Fields, others: impl IntoIterator<Item = &'a Fields>) -> f32 {
    let mine = character_trigrams(fields);
    let nearest =
        others.into_iter().map(|other| jaccard(&mine, &character_trigrams(other))).fold(0.0, f32::max);
    1.0 - nearest
}

/// The share of word trigrams that stood in the copy before, over all its texts; 0 where none repeats.
pub fn repetition(fields: &Fields) -> f32 {
    let mut trigrams = Trigrams::default();
    for text in fields.iter().flat_map(|(_, texts)| texts) {
        trigrams.add(text);
    }
    trigrams.repetition()
}

/// The word trigrams of the texts of a copy, for [`repetition`] while it is written.
#[derive(Debug, Clone, Default)]
pub struct Trigrams {
    /// Each as its three words with a space between.
    seen: BTreeSet<String>,
    all: usize,
    repeated: usize,
}

impl Trigrams {
    /// Adds a text.
    pub fn add(&mut self, text: &str) {
        let folded = text::fold(text);
        let words: Vec<&str> = text::words(&folded).collect();
        self.all += words.len().saturating_sub(2);
        for trigram in words.windows(3) {
            self.repeated += usize::from(!self.seen.insert(trigram.join(" ")));
        }
    }

    /// The share of trigrams that stood before them; 0 where none repeats.
    pub fn repetition(&self) -> f32 {
        share(self.repeated, self.all)
    }

    /// What [`repetition`](Self::repetition) becomes if the [folded](text::fold) text is added.
    pub fn repetition_with(&self, folded: &str) -> f32 {
        let words: Vec<&str> = text::words(folded).collect();
        let mut new: BTreeSet<&[&str]> = BTreeSet::new();
        let mut joined = String::new();
        let mut repeated = 0;
        for trigram in words.windows(3) {
            joined.clear();
            for word in trigram {
                joined.extend([if joined.is_empty() { "" } else { " " }, word]);
            }
            let known = self.seen.contains(&joined) || !new.insert(trigram);
            repeated += usize::from(known);
        }
        share(self.repeated + repeated, self.all + words.len().saturating_sub(2))
    }
}

fn share(part: usize, all: usize) -> f32 {
    if all == 0 { 0.0 } else { part as f32 / all as f32 }
}

fn character_trigrams(fields: &Fields) -> BTreeSet<[char; 3]> {
    let mut trigrams = BTreeSet::new();
    for text in fields.iter().flat_map(|(_, texts)| texts) {
        let folded = text::fold(text);
        let characters: Vec<char> =
            folded.split_whitespace().flat_map(|word| [" ", word]).flat_map(str::chars).collect();
        trigrams.extend(characters.windows(3).filter_map(|three| <[char; 3]>::try_from(three).ok()));
    }
    trigrams
}

fn jaccard(left: &BTreeSet<[char; 3]>, right: &BTreeSet<[char; 3]>) -> f32 {
    let common = left.intersection(right).count();
    let all = left.len() + right.len() - common;
    if all == 0 { 0.0 } else { common as f32 / all as f32 }
}

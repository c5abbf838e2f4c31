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
    let mut seen: BTreeSet<[String; 3]> = BTreeSet::new();
    let (mut all, mut repeated) = (0_usize, 0_usize);
    for text in fields.iter().flat_map(|(_, texts)| texts) {
        let folded = text::fold(text);
        let words: Vec<&str> = text::words(&folded).collect();
        for trigram in words.windows(3) {
            let [first, second, third] = trigram else { continue };
            all += 1;
            let new = seen.insert([(*first).to_owned(), (*second).to_owned(), (*third).to_owned()]);
            repeated += usize::from(!new);
        }
    }
    if all == 0 { 0.0 } else { repeated as f32 / all as f32 }
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

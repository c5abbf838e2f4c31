//! How easily a text reads.

use unicode_segmentation::UnicodeSegmentation;

/// How easily a text reads, from 0 to 1; an empty text reads at 0.
///
/// English is measured by Flesch's reading ease (1948), where 100 and more is 1. Other languages are measured by
/// Björnsson's LIX (1968), which needs no syllables: up to 20 is 1, from 70 it is 0.
pub fn readability(text: &str, english: bool) -> f32 {
    let words: Vec<&str> = text.unicode_words().collect();
    if words.is_empty() {
        return 0.0;
    }
    let sentences = sentences(text).max(1) as f32;
    let length = words.len() as f32 / sentences;
    let ease = if english {
        let syllables: usize = words.iter().map(|word| syllables(word)).sum();
        (206.835 - 1.015 * length - 84.6 * syllables as f32 / words.len() as f32) / 100.0
    } else {
        let long = words.iter().filter(|word| word.chars().count() > 6).count() as f32;
        let lix = length + 100.0 * long / words.len() as f32;
        1.0 - (lix - 20.0) / 50.0
    };
    ease.clamp(0.0, 1.0)
}

/// Lines and what ends with a full stop, question or exclamation mark, as far as they hold a word.
fn sentences(text: &str) -> usize {
    text.lines()
        .flat_map(UnicodeSegmentation::unicode_sentences)
        .filter(|sentence| sentence.unicode_words().next().is_some())
        .count()
}

/// The syllables of an English word: groups of vowels, without a silent final e. A number counts as one.
fn syllables(word: &str) -> usize {
    let word = word.to_lowercase();
    let is_vowel = |character: char| "aeiouyáàâäéèêëíìîïóòôöúùûü".contains(character);
    let mut groups = 0;
    let mut in_group = false;
    for character in word.chars() {
        let vowel = is_vowel(character);
        groups += usize::from(vowel && !in_group);
        in_group = vowel;
    }
    let silent = word.ends_with('e') && !word.ends_with("le") && groups > 1;
    (groups - usize::from(silent)).max(1)
}

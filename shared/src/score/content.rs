//! What a brief says and what a copy says of it.

use std::collections::{BTreeMap, BTreeSet};

use unicode_segmentation::UnicodeSegmentation;

use super::Support;
use crate::brief::Brief;
use crate::check::facts::Facts;
use crate::check::numbers;
use crate::copy::Fields;
use crate::text;

/// What a number, price or name weighs in faithfulness, where an ordinary word weighs 1.
const CLAIM_WEIGHT: f32 = 4.0;

/// The words and facts of a brief.
#[derive(Debug)]
pub(super) struct Source {
    /// Stems of every text of the brief.
    stems: BTreeSet<String>,
    /// What copy should tell: stems of the product, each with its weight.
    content: BTreeMap<String, f32>,
    /// Required terms, folded.
    required: Vec<String>,
    facts: Facts,
}

impl Source {
    pub(super) fn of(brief: &Brief) -> Self {
        let stems = brief.sources().flat_map(|text| stems(text).collect::<Vec<_>>()).collect();
        let product = &brief.product;
        let lists = product.features.iter().chain(&product.benefits);
        let weighted = [(&product.name, 3.0), (&product.description, 1.0)]
            .into_iter()
            .chain(product.price.iter().chain(&product.offer).map(|text| (text, 2.0)))
            .chain(lists.map(|text| (text, 1.5)));
        let mut content: BTreeMap<String, f32> = BTreeMap::new();
        for (text, weight) in weighted {
            for stem in content_stems(text) {
                let known = content.entry(stem).or_insert(weight);
                *known = known.max(weight);
            }
        }
        let required = brief.must_include.iter().map(|term| text::fold(term)).collect();
        Self { stems, content, required, facts: Facts::of(brief) }
    }

    /// The weighted share of the brief's content and required terms that the copy holds.
    pub(super) fn coverage(&self, fields: &Fields) -> f32 {
        const REQUIRED_WEIGHT: f32 = 3.0;
        let texts: Vec<String> =
            fields.iter().flat_map(|(_, texts)| texts).map(|text| text::fold(text)).collect();
        let told: BTreeSet<String> = texts.iter().flat_map(|text| stems(text).collect::<Vec<_>>()).collect();
        let content: f32 = self.content.values().sum();
        let covered: f32 =
            self.content.iter().filter(|(stem, _)| told.contains(*stem)).map(|(_, weight)| weight).sum();
        let held =
            self.required.iter().filter(|term| texts.iter().any(|text| text::holds_term(text, term))).count();
        let all = content + REQUIRED_WEIGHT * self.required.len() as f32;
        if all == 0.0 { 1.0 } else { (covered + REQUIRED_WEIGHT * held as f32) / all }
    }

    /// The texts' content words, numbers, prices and names, and what of them stands in the brief.
    pub(super) fn support<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Support {
        let mut support = Support::default();
        let mut count = |holds: bool, of: f32| {
            support.claimed += of;
            support.stated += if holds { of } else { 0.0 };
        };
        for text in texts {
            for number in numbers::numbers(&numbers::prepare(text)) {
                count(self.facts.states(&number), CLAIM_WEIGHT);
            }
            let invented = self.facts.invented_price(text).is_some()
                || self.facts.invented_address(&text::fold(text)).is_some();
            if invented {
                count(false, CLAIM_WEIGHT);
            }
            let words: Vec<(usize, &str)> = lettered(text).collect();
            let names = names(text, &words);
            for (_, word) in words {
                let folded = text::fold(word);
                if is_function_word(&folded) {
                    continue;
                }
                let stem = stem(&folded);
                let is_name = names.contains(word);
                let stated = self.holds(&stem) || self.states_spelled(&folded);
                if stated || is_name || !is_copy_word(&folded, &stem) {
                    count(stated, if is_name { CLAIM_WEIGHT } else { 1.0 });
                }
            }
        }
        support
    }

    /// Whether the brief holds a word of this stem.
    pub(super) fn holds(&self, stem: &str) -> bool {
        self.stems.contains(stem)
    }

    /// Whether the word is a number that the brief states in digits.
    fn states_spelled(&self, word: &str) -> bool {
        numbers::spelled(word).is_some_and(|value| self.facts.invented_number(&value.to_string()).is_none())
    }
}

/// The words of a text that hold a letter, with where they begin.
pub(super) fn lettered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.unicode_word_indices().filter(|(_, word)| word.chars().any(char::is_alphabetic))
}

/// Words with a capital inside a sentence. In a text that capitalises most of its words the capitals say nothing.
pub(super) fn names<'t>(text: &str, words: &[(usize, &'t str)]) -> BTreeSet<&'t str> {
    let is_capital = |(_, word): &&(usize, &str)| word.chars().next().is_some_and(char::is_uppercase);
    if words.iter().filter(is_capital).count() * 2 > words.len() {
        return BTreeSet::new();
    }
    let opens = |at: usize| {
        let before = text[..at].trim_end_matches([' ', '"', '“', '‘', '\'', '(', '*', '-', '•']);
        before.chars().next_back().is_none_or(|last| ".!?:…\n".contains(last))
    };
    let is_name = |(at, word): &&(usize, &str)| !opens(*at) && word.chars().count() > 1;
    words.iter().filter(is_capital).filter(is_name).map(|(_, word)| *word).collect()
}

fn stems(text: &str) -> impl Iterator<Item = String> {
    let folded = text::fold(text);
    let stems: Vec<String> = text::words(&folded).map(stem).collect();
    stems.into_iter()
}

fn content_stems(text: &str) -> BTreeSet<String> {
    let folded = text::fold(text);
    text::words(&folded).filter(|word| !is_function_word(word)).map(stem).collect()
}

/// An English word without its common endings, so that "roasted" and "roasts" meet. It errs on the side of leaving.
pub(super) fn stem(word: &str) -> String {
    let word = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word);
    let long_enough = |rest: &str| rest.chars().count() >= 3;
    for (ending, replacement) in [("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("ly", ""), ("s", "")] {
        if let Some(rest) = word.strip_suffix(ending).filter(|rest| long_enough(rest)) {
            let rest = format!("{rest}{replacement}");
            return rest.strip_suffix('e').filter(|rest| long_enough(rest)).unwrap_or(&rest).to_owned();
        }
    }
    word.strip_suffix('e').filter(|rest| long_enough(rest)).unwrap_or(word).to_owned()
}

/// English words that carry no content of their own, in the order of the alphabet.
const FUNCTION_WORDS: &[&str] = &[
    "a", "about", "after", "again", "all", "also", "always", "am", "an", "and", "another", "any", "are",
    "as", "at", "back", "be", "because", "been", "before", "being", "between", "both", "but", "by", "can",
    "can't", "could", "did", "do", "does", "don't", "done", "down", "each", "either", "else", "enough",
    "even", "ever", "every", "few", "for", "from", "get", "gets", "go", "goes", "had", "has", "have", "he",
    "her", "here", "here's", "his", "how", "i", "if", "in", "into", "is", "isn't", "it", "it's", "its",
    "itself", "just", "less", "like", "many", "may", "me", "more", "most", "much", "my", "never", "no",
    "nor", "not", "nothing", "now", "of", "off", "on", "once", "one", "only", "or", "other", "our", "out",
    "over", "own", "per", "same", "she", "so", "some", "still", "such", "than", "that", "that's", "the",
    "their", "them", "then", "there", "these", "they", "this", "those", "through", "to", "too", "under",
    "until", "up", "us", "very", "was", "we", "well", "were", "what", "what's", "when", "where", "which",
    "while", "who", "why", "will", "with", "without", "yet", "you", "you'll", "you're", "your", "yours",
];

/// Words that any copy may use: what a reader is asked to do, and how that is dressed. In the order of the alphabet.
const COPY_WORDS: &[&str] = &[
    "add",
    "ask",
    "begin",
    "best",
    "book",
    "bring",
    "browse",
    "buy",
    "call",
    "choose",
    "come",
    "day",
    "discover",
    "easy",
    "enjoy",
    "everything",
    "explore",
    "find",
    "first",
    "give",
    "good",
    "great",
    "help",
    "join",
    "keep",
    "know",
    "learn",
    "leave",
    "let",
    "life",
    "look",
    "love",
    "make",
    "meet",
    "need",
    "new",
    "order",
    "pick",
    "place",
    "plan",
    "ready",
    "right",
    "save",
    "see",
    "shop",
    "sign",
    "simple",
    "start",
    "stay",
    "stop",
    "take",
    "tell",
    "thing",
    "time",
    "today",
    "try",
    "turn",
    "use",
    "visit",
    "want",
    "way",
    "work",
];

pub(super) fn is_function_word(folded: &str) -> bool {
    FUNCTION_WORDS.binary_search(&folded).is_ok()
}

pub(super) fn is_copy_word(folded: &str, stem: &str) -> bool {
    COPY_WORDS.binary_search(&folded).is_ok() || COPY_WORDS.binary_search(&stem).is_ok()
}

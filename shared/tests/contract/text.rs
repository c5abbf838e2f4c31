//! Folding and terms.

use adlib_shared::limits;
use adlib_shared::text::{TextRule, clean, echo, fold, holds_emoji, holds_term, is_refused};
use proptest::prelude::*;

#[test]
fn folding_makes_spellings_meet() {
    for (left, right) in
        [("STRASSE", "Straße"), ("ﬁne", "FINE"), ("e\u{301}", "É"), ("ΣΑΣ", "σας"), ("don’t", "DON'T")]
    {
        assert_eq!(fold(left), fold(right), "{left} {right}");
    }
    assert_ne!(fold("cafe"), fold("café"));
}

#[test]
fn a_term_ends_where_its_word_ends() {
    assert!(holds_term("state-of-the-art", "art"));
    assert!(!holds_term("party", "art") && !holds_term("artist", "art") && !holds_term("start", "art"));
    assert!(holds_term("artist art", "art"), "a later place counts");
    assert!(holds_term("50% off", "50%") && holds_term("now 50%off", "50%"));
    assert!(!holds_term("anything", ""));
}

#[test]
fn signs_are_no_emoji_until_they_ask_to_be() {
    for text in ["🔥", "☕", "❤", "©\u{fe0f}", "1\u{fe0f}\u{20e3}", "🇩🇪"] {
        assert!(holds_emoji(text), "{text}");
    }
    for text in ["©", "™", "1#*", "→", "a–b", "é"] {
        assert!(!holds_emoji(text), "{text}");
    }
}

#[test]
fn an_echo_is_short_and_harmless() {
    assert_eq!(echo("a\nb\u{202e}c"), "a\u{fffd}b\u{fffd}c");
    assert_eq!(echo(&"x".repeat(limits::ECHO_CHARS_MAX)).chars().count(), limits::ECHO_CHARS_MAX);
    assert_eq!(echo(&"x".repeat(9999)).chars().count(), limits::ECHO_CHARS_MAX + 1);
}

proptest! {
    #[test]
    fn what_is_clean_stays_as_it_is(raw in any::<String>(), limit in 1..40_usize, multiline: bool) {
        let rule = TextRule { graphemes_max: limit, multiline };
        if let Ok(text) = clean(&raw, rule) {
            prop_assert_eq!(clean(&text, rule), Ok(text.clone()));
            prop_assert!(text.len() <= rule.bytes_max());
            prop_assert!(text.chars().all(|character| !is_refused(character) || (multiline && character == '\n')));
        }
    }

    #[test]
    fn folding_twice_changes_nothing(text in any::<String>()) {
        let folded = fold(&text);
        prop_assert_eq!(fold(&folded), folded);
    }

    #[test]
    fn a_text_holds_itself(text in "\\PC{1,20}") {
        let folded = fold(&text);
        prop_assert!(folded.is_empty() || holds_term(&folded, &folded));
    }
}

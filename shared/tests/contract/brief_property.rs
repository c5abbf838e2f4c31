//! Properties of reading a brief.

use adlib_shared::brief::{Brief, Framework, Objective, Tone};
use adlib_shared::cache_key::{CacheKey, Operation, Scope};
use adlib_shared::channel::CHANNELS;
use adlib_shared::check::Request;
use adlib_shared::keyed_hash::KeyedHash;
use adlib_shared::problem::Code;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

/// A text of some scripts, with marks and joined emoji, that is not empty once trimmed.
pub(crate) fn text(most: usize) -> impl Strategy<Value = String> {
    let letter = select(vec![
        "a",
        "Z",
        "é",
        "e\u{301}",
        "ß",
        "İ",
        "ſ",
        "ﬁ",
        "Ω",
        "字",
        "ｶﾞ",
        "ก",
        "नि",
        "👨‍👦",
        "🇩🇪",
        " ",
        "-",
        "1",
        ".",
        "\"",
        "\\",
        "€",
    ]);
    vec(letter, 1..most).prop_map(|letters| format!("x{}", letters.concat()))
}

/// Any valid brief, as JSON.
pub(crate) fn valid() -> impl Strategy<Value = Value> {
    let product = (
        text(20),
        text(60),
        vec(text(12), 0..3),
        option::of(text(8)),
        option::of(select(vec!["https://a.example/b?c=d", "www.a.example"])),
    );
    let brand =
        option::of((option::of(text(10)), option::of(text(20)), vec(text(9), 0..3), vec(text(30), 0..2)));
    let words = (
        select(Objective::ALL),
        select(Framework::ALL),
        subsequence(Tone::ALL.to_vec(), 1..=3),
        select(vec!["en", "en-GB", "EN-latn-us"]),
    );
    let numbers = (1..=10_u64, option::of(any::<u64>()), creativity(), any::<bool>());
    (product, 0..CHANNELS.len(), option::of(text(20)), brand, words, vec(text(8), 0..3), numbers).prop_map(
        |((name, description, features, price, url), channel, audience, brand, words, excluded, numbers)| {
            let brand = brand.map(|(name, voice, dos, examples)| {
                json!({"name": name, "voice": voice, "do": dos, "examples": examples})
            });
            let (objective, framework, tone, language) = words;
            let (variants, seed, creativity, stream) = numbers;
            let field = &CHANNELS[channel].fields[0];
            let limit = field.limit().map(|limit| limit.min(field.length_min.max(200)));
            json!({
                "product": {"name": name, "description": description, "features": features, "price": price, "url": url},
                "channel": CHANNELS[channel].id, "audience": audience, "brand": brand, "objective": objective,
                "framework": framework, "tone": tone, "language": language, "must_exclude": excluded,
                "variants": variants, "seed": seed, "creativity": creativity, "stream": stream,
                "limits": {field.name: limit},
            })
        },
    )
}

fn creativity() -> impl Strategy<Value = Value> {
    let word = select(vec!["low", "balanced", "high"]).prop_map(|word| json!(word));
    prop_oneof![
        word,
        (0.0..=1.0_f64).prop_map(|level| json!(level)),
        Just(json!(0)),
        Just(json!(1)),
        Just(json!(-0.0))
    ]
}

fn key(brief: &Brief) -> CacheKey {
    CacheKey::of(&KeyedHash::new(b"secret"), Scope::Tenant("t"), Operation::Copy, brief, "sha256:00", 1)
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name =
            select(vec!["product", "name", "channel", "limits", "tone", "brand", "fields", "headline", "x"]);
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name, inner), 0..4).prop_map(|members| members
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #[test]
    fn the_canonical_form_reads_back_as_the_same_brief(body in valid()) {
        let body = serde_json::to_vec(&body).unwrap();
        let brief = Brief::parse(&body, &["en"]).unwrap();
        let canonical = brief.to_json();
        let again = Brief::parse(&canonical, &["en"]).unwrap();
        prop_assert_eq!(&again, &brief);
        prop_assert_eq!(again.to_json(), canonical);
        prop_assert_eq!(key(&again), key(&brief));
    }

    #[test]
    fn briefs_that_differ_have_different_keys(left in valid(), right in valid()) {
        let read = |body: &Value| Brief::parse(&serde_json::to_vec(body).unwrap(), &["en"]).unwrap();
        let (mut left, right) = (read(&left), read(&right));
        left.stream = right.stream;
        prop_assert_eq!(left == right, key(&left) == key(&right));
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..600)) {
        if let Err(problem) = Brief::parse(&bytes, &["en"]) {
            prop_assert!((400..500).contains(&problem.status()));
        }
        _ = Request::parse(&bytes);
    }

    #[test]
    fn any_text_is_answered(text in "[\\[\\]{}\":,0-9a-f\\\\u \n]{0,300}") {
        _ = Brief::parse(text.as_bytes(), &["en"]);
        _ = Request::parse(text.as_bytes());
    }

    #[test]
    fn any_json_is_answered(json in any_json()) {
        let bytes = serde_json::to_vec(&json).unwrap();
        if let Err(problem) = Brief::parse(&bytes, &["en"]) {
            prop_assert_ne!(problem.code, Code::Internal);
            prop_assert!(!problem.errors.is_empty() || problem.code == Code::MalformedJson);
        }
        _ = Request::parse(&bytes);
    }

    #[test]
    fn a_valid_brief_with_one_byte_changed_is_answered(body in valid(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = serde_json::to_vec(&body).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(brief) = Brief::parse(&bytes, &["*"]) {
            let again = Brief::parse(&brief.to_json(), &["*"]);
            prop_assert_eq!(again.unwrap(), brief);
        }
    }
}

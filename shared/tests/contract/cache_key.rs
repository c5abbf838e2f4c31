//! Everything that decides what is written is part of the key.

use std::collections::BTreeMap;

use adlib_shared::cache_key::{CacheKey, Operation, Scope};
use adlib_shared::keyed_hash::KeyedHash;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sample::{brief, set, smallest, with};

fn key(body: &Value) -> CacheKey {
    CacheKey::of(
        &KeyedHash::new(b"secret"),
        Scope::Tenant("t"),
        Operation::Copy,
        &brief(body),
        "sha256:00",
        1,
    )
}

#[test]
fn what_surrounds_the_brief_is_part_of_the_key() {
    let brief = brief(&smallest());
    let of = |secret: &[u8], scope, fingerprint, revision| {
        CacheKey::of(&KeyedHash::new(secret), scope, Operation::Copy, &brief, fingerprint, revision).to_hex()
    };
    let keys = [
        of(b"secret", Scope::Tenant("t"), "sha256:00", 1),
        of(b"secret2", Scope::Tenant("t"), "sha256:00", 1),
        of(b"secret", Scope::Tenant("u"), "sha256:00", 1),
        of(b"secret", Scope::Tenant(""), "sha256:00", 1),
        of(b"secret", Scope::Shared, "sha256:00", 1),
        of(b"secret", Scope::Tenant("t"), "sha256:01", 1),
        of(b"secret", Scope::Tenant("t"), "sha256:00", 2),
    ];
    let distinct: std::collections::BTreeSet<&String> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len());
    assert!(keys.iter().all(|key| key.len() == 64));
}

#[test]
fn every_member_of_a_brief_is_part_of_the_key_but_how_it_travels() {
    let members = [
        ("/product/name", json!("Other")),
        ("/product/description", json!("Other.")),
        ("/product/features", json!(["a"])),
        ("/product/benefits", json!(["a"])),
        ("/product/price", json!("a")),
        ("/product/offer", json!("a")),
        ("/product/url", json!("a.example")),
        ("/channel", json!("microsoft_rsa")),
        ("/audience", json!("a")),
        ("/objective", json!("launch")),
        ("/framework", json!("none")),
        ("/tone", json!(["bold"])),
        ("/tone", json!(["bold", "witty"])),
        ("/tone", json!(["witty", "bold"])),
        ("/language", json!("en-GB")),
        ("/brand/name", json!("a")),
        ("/brand/voice", json!("a")),
        ("/brand/do", json!(["a"])),
        ("/brand/dont", json!(["a"])),
        ("/brand/examples", json!(["a"])),
        ("/must_include", json!(["a"])),
        ("/must_exclude", json!(["a"])),
        ("/must_exclude", json!(["a", "b"])),
        ("/must_exclude", json!(["ab"])),
        ("/call_to_action", json!("a")),
        ("/variants", json!(4)),
        ("/creativity", json!("low")),
        ("/creativity", json!(0.5)),
        ("/creativity", json!(0.501)),
        ("/seed", json!(0)),
        ("/seed", json!(1)),
        ("/limits/headline", json!(29)),
        ("/limits/description", json!(29)),
    ];
    let mut seen = BTreeMap::from([(key(&smallest()), "nothing".to_owned())]);
    for (pointer, value) in members {
        let what = format!("{pointer} {value}");
        if let Some(other) = seen.insert(key(&with(pointer, value)), what.clone()) {
            panic!("{what} has the key of {other}");
        }
    }
    assert_eq!(key(&with("/stream", json!(true))), key(&smallest()));
}

#[test]
fn two_ways_to_say_the_same_have_one_key() {
    let same = [
        ("/objective", json!("conversion")),
        ("/call_to_action", json!("auto")),
        ("/product/name", json!("  Larder & Lid ")),
        ("/brand", json!({"do": []})),
        ("/creativity", json!("balanced")),
        ("/language", json!("EN")),
        ("/limits", json!({})),
        ("/seed", json!(null)),
    ];
    for (pointer, value) in same {
        assert_eq!(key(&with(pointer, value.clone())), key(&smallest()), "{pointer} {value}");
    }
}

#[test]
fn the_encoding_of_a_key_does_not_change_by_accident() {
    // Computed once. Another value means that every cached copy is lost: then SCHEMA_VERSION belongs raised.
    assert_eq!(key(&smallest()).to_hex(), "b6de119f9d1705e02a350149882fde1f88675325762dd1be383a4dafd9c6ebe3");
}

/// A brief whose lists of texts hold these words in turn, cut where the list says.
fn divided(words: &[String], cuts: &[usize]) -> Value {
    let mut body = smallest();
    let bounds: Vec<usize> = [0].iter().chain(cuts).chain([&words.len()]).copied().collect();
    let lists = ["/product/features", "/product/benefits", "/must_exclude", "/brand/do", "/brand/dont"];
    for (pointer, bound) in lists.iter().zip(bounds.windows(2)) {
        set(&mut body, pointer, json!(words[bound[0]..bound[1]]));
    }
    body
}

/// The letters as words, each as long as the list says.
fn words(letters: &str, lengths: &[usize]) -> Vec<String> {
    let mut rest = letters;
    let mut words = Vec::new();
    for length in lengths {
        let (word, tail) = rest.split_at((*length).min(rest.len()));
        words.push(word.to_owned());
        rest = tail;
    }
    words.push(rest.to_owned());
    words.retain(|word| !word.is_empty());
    words
}

fn cuts(count: usize) -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..=count, 4).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    })
}

proptest! {
    #[test]
    fn no_word_can_move_from_one_list_to_the_next_unnoticed(left in cuts(6), right in cuts(6)) {
        let words = words("abcdef", &[1; 5]);
        prop_assert_eq!(left == right, key(&divided(&words, &left)) == key(&divided(&words, &right)));
    }

    #[test]
    fn no_letter_can_move_from_one_word_to_the_next_unnoticed(
        left in proptest::collection::vec(1..4_usize, 1..5),
        right in proptest::collection::vec(1..4_usize, 1..5),
    ) {
        let of = |lengths: &[usize]| words("aaaaaaaaaa", lengths);
        let key = |words: &[String]| key(&divided(words, &[words.len(); 4]));
        let (left, right) = (of(&left), of(&right));
        prop_assert_eq!(left == right, key(&left) == key(&right));
    }

    #[test]
    fn no_letter_can_move_from_the_tenant_to_the_fingerprint_unnoticed(left in 0..8_usize, right in 0..8_usize) {
        let brief = brief(&smallest());
        let key = |at: usize| {
            let (tenant, fingerprint) = "copycopy".split_at(at);
            let scope = Scope::Tenant(tenant);
            CacheKey::of(&KeyedHash::new(b"secret"), scope, Operation::Copy, &brief, fingerprint, 1)
        };
        prop_assert_eq!(left == right, key(left) == key(right));
    }
}

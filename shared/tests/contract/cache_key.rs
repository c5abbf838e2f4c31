//! Everything that decides what is written is part of the key.

use std::collections::BTreeMap;

use adlib_shared::cache_key::{CacheKey, Operation, Scope};
use adlib_shared::keyed_hash::KeyedHash;
use serde_json::{Value, json};

use crate::sample::{brief, smallest, with};

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

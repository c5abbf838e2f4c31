//! API keys.

use adlib_shared::api_key::{ApiKey, ApiKeyError, KeyHash, Kind};
use adlib_shared::key::KeyId;
use adlib_shared::limits::{API_KEY_BODY_CHARS_MAX, API_KEY_BODY_CHARS_MIN};
use proptest::prelude::*;

/// Made from the bytes 0 to 15 by an independent program, with its hash under the pepper "pepper".
const KEY: &str = "ck_test_000SYW7RiJxkEgOGusQGwp2qv1F9";
const HASH: &str = "44c863c70b7838f139ed1695169f850451c964ba6fb1998e80b021aaa7f3afb4";

fn error(text: &str) -> ApiKeyError {
    ApiKey::parse(text).map(|_| panic!("{text} was taken")).unwrap_err()
}

#[test]
fn a_key_follows_from_its_entropy() {
    let entropy = std::array::from_fn(|at| at as u8);
    assert_eq!(ApiKey::generate(Kind::Test, entropy).expose(), KEY);
    let key = ApiKey::parse(KEY).unwrap();
    assert_eq!(key.kind(), Kind::Test);
    assert_eq!(key.hash(b"pepper").to_hex(), HASH);
    assert!(ApiKey::generate(Kind::Live, [0xFF; 16]).expose().starts_with("ck_live_"));
}

#[test]
fn hashes_are_equal_where_key_and_pepper_are() {
    let hash = ApiKey::parse(KEY).unwrap().hash(b"pepper");
    assert_eq!(KeyHash::from_hex(&HASH.to_uppercase()), Some(hash));
    assert_ne!(ApiKey::parse(KEY).unwrap().hash(b"salt"), hash);
    assert_ne!(ApiKey::generate(Kind::Test, [1; 16]).hash(b"pepper"), hash);
    assert_eq!(hash.id().to_string(), HASH[..16]);
    for hex in ["", &HASH[1..], &HASH[2..], &format!("{HASH}00"), &HASH.replace('4', "g")] {
        assert_eq!(KeyHash::from_hex(hex), None, "{hex}");
    }
}

#[test]
fn what_is_not_a_key_is_told_why() {
    assert_eq!(error(""), ApiKeyError::Prefix);
    assert_eq!(error("sk_test_000SYW7RiJxkEgOGusQGwp2qv1F9"), ApiKeyError::Prefix);
    assert_eq!(error("ck_prod_000SYW7RiJxkEgOGusQGwp2qv1F9"), ApiKeyError::Prefix);
    assert_eq!(error("ck_live_"), ApiKeyError::Length);
    assert_eq!(
        error("ck_live_000SYW7RiJxkEgOGusQGwp2qv1F9"),
        ApiKeyError::Checksum,
        "the kind is covered too"
    );
    assert_eq!(error("ck_test_000SYW7RiJxkEgOGusQGwp2qv1F8"), ApiKeyError::Checksum);
    assert_eq!(error("ck_test_000SYW7RiJxkEgOGusQGw 2qv1F9"), ApiKeyError::Character);
    assert_eq!(error("ck_test_000SYW7RiJxkEgOGusQGwé2qv1F"), ApiKeyError::Character);
    let body = |chars: usize| format!("ck_test_{}", "a".repeat(chars));
    for (chars, expected) in [
        (API_KEY_BODY_CHARS_MIN + 5, ApiKeyError::Length),
        (API_KEY_BODY_CHARS_MIN + 6, ApiKeyError::Checksum),
        (API_KEY_BODY_CHARS_MAX + 6, ApiKeyError::Checksum),
        (API_KEY_BODY_CHARS_MAX + 7, ApiKeyError::Length),
    ] {
        assert_eq!(error(&body(chars)), expected, "{chars}");
    }
}

#[test]
fn a_key_is_not_printed() {
    let key = ApiKey::parse(KEY).unwrap();
    assert_eq!(format!("{key:?}"), "ApiKey(ck_test_…)");
}

#[test]
fn a_key_says_which_one_it_is_if_it_was_made_so() {
    let id = KeyId([0, 1, 2, 3, 4, 5, 0xEE, 0xFF]);
    let key = ApiKey::with_id(Kind::Live, id, [9; 16]);
    assert!(key.expose().starts_with("ck_live_000102030405eeff"), "{}", key.expose());
    assert_eq!(key.expose().len(), "ck_live_".len() + KeyId::CHARS + API_KEY_BODY_CHARS_MIN + 6);
    assert_eq!(ApiKey::parse(key.expose()).unwrap().id(), Some(id));
    assert_eq!(ApiKey::generate(Kind::Live, [9; 16]).id(), None);
}

proptest! {
    #[test]
    fn every_generated_key_is_read(entropy: [u8; 16], live: bool) {
        let kind = if live { Kind::Live } else { Kind::Test };
        let key = ApiKey::generate(kind, entropy);
        let read = ApiKey::parse(key.expose()).unwrap();
        prop_assert_eq!((read.kind(), read.expose()), (kind, key.expose()));
    }

    #[test]
    fn a_slip_is_found(entropy: [u8; 16], at in 8..36_usize, digit in "[0-9A-Za-z]") {
        let key = ApiKey::generate(Kind::Test, entropy);
        let mut slipped = key.expose().to_owned();
        slipped.replace_range(at..=at, &digit);
        prop_assert_eq!(ApiKey::parse(&slipped).is_ok(), slipped == key.expose());
    }

    #[test]
    fn any_text_is_answered(text in ".{0,80}", tail in "\\PC{0,40}") {
        _ = ApiKey::parse(&text);
        _ = ApiKey::parse(&format!("ck_live_{tail}"));
        _ = KeyHash::from_hex(&text);
    }
}

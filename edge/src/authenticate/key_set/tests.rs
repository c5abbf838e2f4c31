//! Which keys of which sets are taken.

use serde_json::{Value, json};

use super::*;
use crate::authenticate::token::signer::{Signer, key_set};

fn changed(mut key: Value, changes: Value) -> Value {
    if let (Some(key), Value::Object(changes)) = (key.as_object_mut(), changes) {
        key.extend(changes);
        key.retain(|_, value| !value.is_null());
    }
    key
}

fn set(keys: &[Value]) -> Result<KeySet, KeySetError> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
}

#[test]
fn the_keys_of_both_algorithms_are_found_by_their_names() {
    let [one, two] = [Signer::ed25519("one", 1), Signer::p256("two", 2)];
    let keys = KeySet::parse(key_set(&[&one, &two]).as_bytes()).expect("a set");
    assert_eq!(keys.find("one").map(PublicKey::algorithm), Some(Algorithm::EdDsa));
    assert_eq!(keys.find("two").map(PublicKey::algorithm), Some(Algorithm::Es256));
    assert_eq!(keys.find("three"), None);
}

#[test]
fn the_key_of_rfc_8037_is_read() {
    let keys = set(&[
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
    ]);
    assert!(keys.expect("a set").find("a").is_some());
}

#[test]
fn keys_of_another_kind_use_or_form_are_passed_over() {
    let good = Signer::ed25519("one", 1).jwk();
    let curve = Signer::p256("one", 2).jwk();
    for key in [
        json!(null),
        json!("key"),
        json!({}),
        json!({"kty": "oct", "kid": "one", "k": "c2VjcmV0"}),
        json!({"kty": "RSA", "kid": "one", "n": "AQAB", "e": "AQAB"}),
        changed(good.clone(), json!({"kid": null})),
        changed(good.clone(), json!({"kid": ""})),
        changed(good.clone(), json!({"kid": 1})),
        changed(good.clone(), json!({"crv": "X25519"})),
        changed(good.clone(), json!({"crv": "P-256"})),
        changed(good.clone(), json!({"x": null})),
        changed(good.clone(), json!({"x": "AA"})),
        changed(good.clone(), json!({"use": "enc"})),
        changed(good.clone(), json!({"key_ops": ["sign"]})),
        changed(good.clone(), json!({"key_ops": "verify"})),
        changed(good.clone(), json!({"alg": "ES256"})),
        changed(good.clone(), json!({"alg": 1})),
        changed(good.clone(), json!({"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"})),
        changed(curve.clone(), json!({"y": null})),
        changed(curve.clone(), json!({"y": curve["x"]})),
        changed(curve.clone(), json!({"crv": "P-384"})),
        changed(curve.clone(), json!({"alg": "ES384"})),
    ] {
        let keys = set(&[key.clone(), Signer::p256("other", 3).jwk()]).expect("a set");
        assert!(keys.find("one").is_none() && keys.find("other").is_some(), "{key}");
    }
    for changes in [
        json!({"use": null, "alg": null}),
        json!({"alg": "Ed25519"}),
        json!({"x5c": ["MII"], "key_ops": ["verify"]}),
    ] {
        assert!(
            set(&[changed(good.clone(), changes.clone())]).expect("a set").find("one").is_some(),
            "{changes}"
        );
    }
}

#[test]
fn a_set_is_an_object_with_an_array_of_keys() {
    for text in
        ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, r#"{"keys":[]} x"#, "\u{feff}{}"]
    {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert_eq!(set(&[]), Ok(KeySet::default()), "an issuer may withdraw all of its keys");
}

#[test]
fn two_keys_of_one_name_leave_open_which_is_meant() {
    assert_eq!(
        set(&[Signer::ed25519("one", 1).jwk(), Signer::p256("one", 2).jwk()]),
        Err(KeySetError::Twice)
    );
    let withdrawn = json!({"kty": "RSA", "kid": "one", "n": "AQAB", "e": "AQAB"});
    assert!(set(&[Signer::ed25519("one", 1).jwk(), withdrawn]).is_ok());
}

#[test]
fn sets_and_names_are_bounded() {
    let keys = |count: usize| vec![json!({"kty": "oct"}); count];
    assert!(set(&keys(KEYS_MAX)).is_ok());
    assert_eq!(set(&keys(KEYS_MAX + 1)), Err(KeySetError::TooMany { count: KEYS_MAX + 1 }));
    for (length, is_taken) in [(KEY_ID_BYTES_MAX, true), (KEY_ID_BYTES_MAX + 1, false)] {
        let id = "k".repeat(length);
        let keys = set(&[changed(Signer::ed25519("one", 1).jwk(), json!({ "kid": id }))]).expect("a set");
        assert_eq!(keys.find(&id).is_some(), is_taken, "{length}");
    }
    for (length, is_taken) in [(KEY_SET_BYTES_MAX, true), (KEY_SET_BYTES_MAX + 1, false)] {
        let mut text = key_set(&[&Signer::ed25519("one", 1)]).into_bytes();
        text.resize(length, b' ');
        assert_eq!(KeySet::parse(&text).is_ok(), is_taken, "{length}");
    }
}

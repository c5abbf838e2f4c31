//! Who is let in, and who is not.

use std::rc::Rc;

use adlib_shared::api_key::Kind;
use futures::executor::block_on;
use http::HeaderValue;
use serde_json::{Value, json};

use super::*;
use crate::store::{KeyValue, NewKey, StoredKey};
use crate::world::memory::Memory;

const PEPPER: &[u8] = b"a pepper for tests only";
const NOW_S: u64 = 1_700_000_000;
const ID: KeyId = KeyId([2; 8]);

fn key(entropy: u8) -> ApiKey {
    ApiKey::generate(Kind::Live, [entropy; 16])
}

/// A key that the store can be asked for.
fn stored() -> ApiKey {
    ApiKey::with_id(Kind::Live, ID, [2; 16])
}

fn keyring() -> Keyring {
    let entry = |entropy, rest| format!("{}:{rest}", key(entropy).hash(PEPPER).to_hex());
    let entries = [entry(1, "acme:ci"), entry(4, "ops:first:copy+admin")];
    Keyring::parse(PEPPER, &entries.join(" ")).expect("a list")
}

fn with_authorization(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).expect("a header value"))])
}

fn asked(world: &Rc<Memory>, value: &str) -> Result<Caller, Denied> {
    asked_with(&with_authorization(value), world)
}

fn asked_with(headers: &HeaderMap, world: &Rc<Memory>) -> Result<Caller, Denied> {
    let store = KeyValue::new(Rc::clone(world));
    block_on(by_key(bearer(headers)?, &keyring(), &Keys::default(), &store, NOW_S * 1000))
}

fn with_record(record: &str) -> Rc<Memory> {
    let world = Rc::<Memory>::default();
    let secrets = serde_json::to_vec(&Secrets::new(stored().hash(PEPPER), 1)).expect("secrets");
    let key = StoredKey { record: record.as_bytes().to_vec(), secrets };
    let store = KeyValue::new(Rc::clone(&world));
    let added = store.add_key(NewKey { id: ID, tenant: "beta", key: &key });
    assert_eq!(block_on(added), Ok(true));
    world
}

/// The record of a key with some members in place of others.
fn record(changes: &Value) -> String {
    let mut record =
        json!({ "tenant": "beta", "name": "ci", "kind": "live", "scopes": ["copy"], "created": 1 });
    for (member, value) in changes.as_object().expect("an object") {
        record[member] = value.clone();
    }
    record.to_string()
}

fn bearer_of_stored() -> String {
    format!("Bearer {}", stored().expose())
}

fn bearer_of(entropy: u8) -> String {
    format!("Bearer {}", key(entropy).expose())
}

#[test]
fn a_key_of_the_variable_is_known_without_the_store() {
    let caller = asked(&Rc::new(Memory::failing()), &bearer_of(1)).expect("a known key");
    assert_eq!((caller.tenant.as_str(), caller.limits.rate_per_minute), ("acme", None));
    assert!(caller.require(Scope::Copy).is_ok() && caller.require(Scope::Admin).is_err());
    assert!(asked(&Rc::new(Memory::failing()), &bearer_of(1).replace("Bearer", "bEARER")).is_ok());
}

#[test]
fn a_key_of_the_variable_may_do_what_its_entry_names() {
    let caller = asked(&Rc::new(Memory::failing()), &bearer_of(4)).expect("a known key");
    assert!(caller.require(Scope::Copy).is_ok() && caller.require(Scope::Admin).is_ok());
    assert!(caller.require_one_of(&[Scope::Check, Scope::Jobs]).is_err());
}

#[test]
fn a_key_of_the_store_is_known_with_its_limits_and_scopes() {
    let record = record(&json!({ "scopes": ["admin"], "limits": { "rate_per_minute": 7 } }));
    let caller = asked(&with_record(&record), &bearer_of_stored()).expect("a known key");
    assert_eq!((caller.tenant.as_str(), caller.name.as_str(), caller.key), ("beta", "ci", ID));
    assert_eq!(caller.limits.rate_per_minute, Some(7));
    let refused = caller.require(Scope::Copy).expect_err("no such scope");
    assert_eq!(refused.problem.code, Code::Forbidden);
}

#[test]
fn a_key_is_taken_until_the_second_in_which_it_expires() {
    for (expires_s, taken) in [(NOW_S + 1, true), (NOW_S, false), (NOW_S - 1, false)] {
        let world = with_record(&record(&json!({ "expires": expires_s })));
        assert_eq!(asked(&world, &bearer_of_stored()).is_ok(), taken, "{expires_s}");
    }
}

#[test]
fn junk_is_rejected_without_the_store() {
    let world = Rc::new(Memory::failing());
    let mut slip = stored().expose().to_owned();
    slip.replace_range(10..11, if &slip[10..11] == "0" { "1" } else { "0" });
    assert!(matches!(asked(&world, &format!("Bearer {slip}")), Err(Denied::Malformed(_))));
    assert!(matches!(asked(&world, "Bearer "), Err(Denied::Malformed(_))));
    assert!(matches!(asked(&world, "Bearer sk-abc"), Err(Denied::Malformed(_))));
    assert!(matches!(asked(&world, "Basic YTpi"), Err(Denied::Scheme)));
    assert!(matches!(asked(&world, "Bearer"), Err(Denied::Scheme)));
}

#[test]
fn no_key_and_two_keys_are_nobody() {
    let nothing = asked_with(&HeaderMap::new(), &Rc::default());
    assert_eq!(nothing, Err(Denied::Absent));
    let mut twice = with_authorization(&bearer_of(1));
    twice.append(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
    assert_eq!(asked_with(&twice, &Rc::default()), Err(Denied::Scheme));
}

#[test]
fn a_key_that_says_not_which_one_it_is_is_nobodys_without_the_store() {
    assert_eq!(asked(&Rc::new(Memory::failing()), &bearer_of(3)), Err(Denied::Unknown));
}

#[test]
fn another_secret_than_the_keys_is_nobodys() {
    let world = with_record(&record(&json!({})));
    let other = ApiKey::with_id(Kind::Live, ID, [3; 16]);
    assert_eq!(asked(&world, &format!("Bearer {}", other.expose())), Err(Denied::Unknown));
    let of_tests = ApiKey::with_id(Kind::Test, ID, [2; 16]);
    assert_eq!(asked(&world, &format!("Bearer {}", of_tests.expose())), Err(Denied::Unknown));
    assert_eq!(asked(&Rc::default(), &bearer_of_stored()), Err(Denied::Unknown));
}

#[test]
fn a_failing_store_or_an_unreadable_record_is_our_fault() {
    let faults = [
        (asked(&Rc::new(Memory::failing()), &bearer_of_stored()), Code::Overloaded),
        (asked(&with_record("{"), &bearer_of_stored()), Code::Internal),
        (asked(&with_record(&record(&json!({ "tenant": "a b" }))), &bearer_of_stored()), Code::Internal),
    ];
    for (denied, code) in faults {
        let failure = Failure::from(denied.expect_err("not known"));
        assert_eq!(failure.problem.code, code);
    }
}

#[test]
fn the_challenge_tells_a_missing_key_from_a_wrong_one() {
    for (denied, marked) in [(Denied::Absent, false), (Denied::Unknown, true), (Denied::Expired, true)] {
        let failure = Failure::from(denied);
        let (name, value) = failure.header.expect("a challenge");
        assert_eq!((failure.problem.status(), name), (401, WWW_AUTHENTICATE));
        assert_eq!(value.to_str().is_ok_and(|text| text.contains("invalid_token")), marked);
    }
}

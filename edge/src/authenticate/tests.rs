//! Who is let in, and who is not.

use std::rc::Rc;

use adlib_shared::api_key::Kind;
use futures::executor::block_on;
use http::HeaderValue;

use super::*;
use crate::store::KeyValue;
use crate::world::World;
use crate::world::memory::Memory;

const PEPPER: &[u8] = b"a pepper for tests only";
const NOW_S: u64 = 1_700_000_000;

fn key(entropy: u8) -> ApiKey {
    ApiKey::generate(Kind::Live, [entropy; 16])
}

fn keyring() -> Keyring {
    let entry = format!("{}:acme:ci", key(1).hash(PEPPER).to_hex());
    Keyring::parse(PEPPER, &entry).expect("a list")
}

fn with_authorization(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).expect("a header value"))])
}

fn asked(world: &Rc<Memory>, value: &str) -> Result<Caller, Denied> {
    asked_with(&with_authorization(value), world)
}

fn asked_with(headers: &HeaderMap, world: &Rc<Memory>) -> Result<Caller, Denied> {
    block_on(by_key(bearer(headers)?, &keyring(), &KeyValue::new(Rc::clone(world)), NOW_S))
}

fn with_record(record: &str) -> Rc<Memory> {
    let world = Rc::<Memory>::default();
    let name = KeyRecord::name(&key(2).hash(PEPPER));
    block_on(world.set(&name, record.as_bytes())).expect("the memory never fails");
    world
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
fn a_key_of_the_store_is_known_with_its_rate_and_scopes() {
    let world =
        with_record(r#"{"tenant":"beta","scopes":["admin"],"created":1,"limits":{"rate_per_minute":7}}"#);
    let caller = asked(&world, &bearer_of(2)).expect("a known key");
    assert_eq!((caller.tenant.as_str(), caller.limits.rate_per_minute), ("beta", Some(7)));
    let refused = caller.require(Scope::Copy).expect_err("no such scope");
    assert_eq!(refused.problem.code, Code::Forbidden);
}

#[test]
fn a_key_is_taken_until_the_second_in_which_it_expires() {
    for (expires_s, taken) in [(NOW_S + 1, true), (NOW_S, false), (NOW_S - 1, false)] {
        let record = format!(r#"{{"tenant":"beta","scopes":["copy"],"created":1,"expires":{expires_s}}}"#);
        assert_eq!(asked(&with_record(&record), &bearer_of(2)).is_ok(), taken, "{expires_s}");
    }
}

#[test]
fn junk_is_rejected_without_the_store() {
    let world = Rc::new(Memory::failing());
    let mut slip = key(2).expose().to_owned();
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
fn a_well_formed_key_that_is_nobodys_is_unknown() {
    assert_eq!(asked(&Rc::default(), &bearer_of(3)), Err(Denied::Unknown));
}

#[test]
fn a_failing_store_or_an_unreadable_record_is_our_fault() {
    let faults = [
        (asked(&Rc::new(Memory::failing()), &bearer_of(2)), Code::Overloaded),
        (asked(&with_record("{"), &bearer_of(2)), Code::Internal),
        (asked(&with_record(r#"{"tenant":"a b","scopes":[],"created":1}"#), &bearer_of(2)), Code::Internal),
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

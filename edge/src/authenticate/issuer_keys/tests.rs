//! When the issuer's keys are fetched, and what holds where it does not answer.

use adlib_shared::json::Node;
use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};

use super::fetch::FETCH_TIME_MAX;
use super::*;
use crate::authenticate::key_set::KEY_SET_BYTES_MAX;
use crate::authenticate::token::signer::{Signer, claims, key_set};
use crate::harness::{Answered, Harness, NOW_MS};
use crate::world::SendError;

const VARIABLES: [(&str, &str); 5] = [
    ("jwks_url", "https://issuer.example"),
    ("jwks_path", "/keys"),
    ("jwt_issuer", "https://issuer.example"),
    ("jwt_audience", "adlib"),
    ("strikes_max", "0"),
];

fn one() -> Signer {
    Signer::ed25519("one", 1)
}

fn two() -> Signer {
    Signer::p256("two", 2)
}

fn show(harness: &Harness, token: &str) -> Answered {
    let request = Request::builder().method(Method::GET).uri("/v1/tones");
    let request = request.header("authorization", format!("Bearer {token}")).body(Bytes::new());
    harness.send_alongside(request.expect("a request"))
}

/// Shows a token of this signer that does not expire in the test.
fn shown(harness: &Harness, signer: &Signer) -> u16 {
    show(harness, &signer.token(&claims(json!({"exp": u64::MAX})))).status.as_u16()
}

fn publish(harness: &Harness, signers: &[&Signer]) {
    harness.world().expect_body(200, "application/json", key_set(signers));
}

fn fetched(harness: &Harness) -> usize {
    harness.world().sent().len()
}

#[test]
fn the_keys_are_fetched_once_and_refreshed_in_time_behind_the_reply() {
    let mut harness = Harness::with(&VARIABLES);
    publish(&harness, &[&one()]);
    assert_eq!(shown(&harness, &one()), 200);
    let request = &harness.world().sent()[0];
    assert_eq!(
        (request.method(), request.uri().to_string().as_str()),
        (&Method::GET, "https://issuer.example/keys")
    );
    assert!(!request.headers().contains_key("authorization") && !request.headers().contains_key("signature"));
    harness.now_ms += FRESH_MS - 1;
    assert_eq!((shown(&harness, &one()), fetched(&harness)), (200, 0));
    harness.now_ms += 1;
    publish(&harness, &[&one(), &two()]);
    assert_eq!((shown(&harness, &one()), fetched(&harness)), (200, 1));
    assert_eq!((shown(&harness, &two()), fetched(&harness)), (200, 0));
}

#[test]
fn the_bearer_of_a_token_has_the_tenant_scopes_and_limits_that_follow_from_it() {
    let harness = Harness::with(&[&VARIABLES[..], &[("rate_per_minute", "3")]].concat());
    publish(&harness, &[&one(), &two()]);
    let remaining = |signer: &Signer, changes: Value| {
        show(&harness, &signer.token(&claims(changes))).header("x-ratelimit-remaining-requests").to_owned()
    };
    assert_eq!(remaining(&one(), json!({})), "2");
    // A renewed token of the same bearer, even by another key.
    assert_eq!(remaining(&two(), json!({"jti": "2", "exp": NOW_MS / 1000 + 600})), "1");
    assert_eq!(remaining(&one(), json!({"sub": "user-2"})), "2");
    assert_eq!(remaining(&one(), json!({"tenant": "other"})), "2");
    let copy = |scope: &str| {
        let token = two().token(&claims(json!({ "scope": scope })));
        let request = Request::post("/admin/cache/purge").header("authorization", format!("Bearer {token}"));
        let request =
            request.header("content-type", "application/json").body(Bytes::from_static(b"{\"all\":true}"));
        harness.send_alongside(request.expect("a request")).status.as_u16()
    };
    assert_eq!((copy("copy"), copy("admin")), (403, 429));
    let line = crate::log::written::take().join("\n");
    assert!(
        line.contains("user-1") && line.contains("acme") && !line.contains(&two().token(&claims(json!({}))))
    );
}

#[test]
fn instances_share_what_one_has_fetched() {
    let harness = Harness::with(&VARIABLES);
    publish(&harness, &[&one()]);
    assert_eq!(shown(&harness, &one()), 200);
    let harness = harness.restart();
    fetched(&harness);
    assert_eq!((shown(&harness, &one()), fetched(&harness)), (200, 0));
}

#[test]
fn an_unknown_key_is_looked_for_once_in_a_while() {
    let mut harness = Harness::with(&VARIABLES);
    publish(&harness, &[&one()]);
    assert_eq!(shown(&harness, &one()), 200);
    fetched(&harness);
    harness.now_ms += ASK_AGAIN_MS - 1;
    for _ in 0..3 {
        assert_eq!((shown(&harness, &two()), fetched(&harness)), (401, 0));
    }
    // Nor does another instance ask before that.
    let mut other = harness.apart();
    assert_eq!((shown(&other, &two()), fetched(&other)), (401, 0));
    harness.now_ms += 1;
    publish(&harness, &[&one(), &two()]);
    assert_eq!((shown(&harness, &two()), fetched(&harness)), (200, 1));
    // The other one has looked a moment ago, and finds what the first has fetched when it looks again.
    other.now_ms += ASK_AGAIN_MS;
    assert_eq!((shown(&other, &two()), fetched(&other)), (200, 0));
    // A key that is nobody's leads to one question each time.
    for _ in 0..3 {
        harness.now_ms += ASK_AGAIN_MS;
        publish(&harness, &[&one(), &two()]);
        for seed in 5..8 {
            assert_eq!(shown(&harness, &Signer::ed25519("nobody", seed)), 401);
        }
        assert_eq!(fetched(&harness), 1);
    }
}

#[test]
fn a_key_that_is_withdrawn_ends_with_the_set_that_held_it() {
    let mut harness = Harness::with(&VARIABLES);
    publish(&harness, &[&one()]);
    assert_eq!(shown(&harness, &one()), 200);
    harness.now_ms += FRESH_MS;
    publish(&harness, &[&two()]);
    assert_eq!(shown(&harness, &one()), 200, "the last time, while another set is fetched");
    assert_eq!((shown(&harness, &one()), shown(&harness, &two())), (401, 200));
}

#[test]
fn the_last_set_stands_in_for_an_issuer_that_is_away_up_to_an_hour() {
    let mut harness = Harness::with(&VARIABLES);
    publish(&harness, &[&one()]);
    assert_eq!(shown(&harness, &one()), 200);
    fetched(&harness);
    harness.now_ms += STALE_MS_MAX - 1;
    assert_eq!((shown(&harness, &one()), fetched(&harness)), (200, 1));
    assert_eq!((shown(&harness, &one()), fetched(&harness)), (200, 0), "it is not asked again at once");
    harness.now_ms += 1;
    let refused = show(&harness, &one().token(&claims(json!({"exp": u64::MAX}))));
    assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (503, Some("overloaded")));
    assert!(!refused.header("retry-after").is_empty());
    harness.now_ms += ASK_AGAIN_MS;
    publish(&harness, &[&one()]);
    assert_eq!(shown(&harness, &one()), 200, "it is back");
}

#[test]
fn without_any_set_no_token_is_taken() {
    let bodies = [
        (200, "application/json", "{}".to_owned()),
        (200, "text/html", key_set(&[&one()])),
        (301, "application/json", key_set(&[&one()])),
        (404, "application/json", key_set(&[&one()])),
        (200, "application/json", format!("{}{}", key_set(&[&one()]), " ".repeat(KEY_SET_BYTES_MAX))),
    ];
    for (status, kind, body) in bodies {
        let harness = Harness::with(&VARIABLES);
        harness.world().expect_body(status, kind, body);
        assert_eq!((shown(&harness, &one()), fetched(&harness)), (503, 1), "{status} {kind}");
    }
    let harness = Harness::with(&VARIABLES);
    harness.world().expect(Err(SendError::TimedOut("connect".to_owned())));
    assert_eq!(shown(&harness, &one()), 503);
    let harness = Harness::with(&VARIABLES);
    harness.world().expect_body(200, "application/jwk-set+json", key_set(&[&one()]));
    assert_eq!(shown(&harness, &one()), 200);
}

#[test]
fn an_issuer_that_never_answers_holds_nobody_up_for_long() {
    let harness = Harness::with(&VARIABLES);
    harness.world().expect_silence();
    assert_eq!(shown(&harness, &one()), 503);
    assert!(harness.world().slept() <= FETCH_TIME_MAX + PATIENCE + PAUSE, "{:?}", harness.world().slept());
}

#[test]
fn a_store_that_is_away_leaves_each_instance_to_itself() {
    let harness = Harness::with(&VARIABLES);
    harness.world().fail(true);
    publish(&harness, &[&one()]);
    assert_eq!((shown(&harness, &one()), fetched(&harness)), (200, 1));
}

#[test]
fn what_the_store_holds_of_another_issuer_or_in_another_form_is_overwritten() {
    let foreign = json!({"url": "https://other.example/keys", "asked_ms": NOW_MS, "fetched_ms": NOW_MS, "set": key_set(&[&two()])});
    let future = json!({"url": "https://issuer.example/keys", "asked_ms": 2 * NOW_MS, "fetched_ms": 2 * NOW_MS, "set": key_set(&[&two()])});
    for stored in [foreign.to_string(), future.to_string(), "junk".to_owned()] {
        let harness = Harness::with(&VARIABLES);
        futures::executor::block_on(harness.edge.store.set(NAME, stored.as_bytes(), None)).expect("a set");
        publish(&harness, &[&one()]);
        assert_eq!(shown(&harness, &one()), 200, "{stored}");
        assert_eq!(shown(&harness.restart(), &one()), 200, "{stored}");
    }
}

#[test]
fn what_cannot_be_valid_is_refused_without_any_question() {
    let harness = Harness::with(&[&VARIABLES[..], &[("failures_per_minute", "0")]].concat());
    let expired = one().token(&claims(json!({"exp": 1})));
    let elsewhere = one().token(&claims(json!({"iss": "https://other.example"})));
    let unsigned = one().token_of(r#"{"alg":"none","kid":"one"}"#, &claims(json!({})).to_string());
    for token in ["a.b.c", "..", &expired, &elsewhere, &unsigned] {
        let refused = show(&harness, token);
        assert_eq!((refused.status.as_u16(), fetched(&harness)), (401, 0), "{token}");
        assert!(refused.header("www-authenticate").contains("invalid_token"));
        assert_eq!(harness.world().reads(NAME), 0);
    }
}

#[test]
fn without_an_issuer_a_token_is_a_malformed_key() {
    let refused = show(&Harness::new(), &one().token(&claims(json!({}))));
    assert_eq!(refused.status.as_u16(), 401);
    assert!(Node::parse(refused.body.expect("a body").as_ref(), 4096).is_ok());
}

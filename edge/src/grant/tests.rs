//! What a key's requests take of its tokens and streams, over both stores.

use adlib_shared::batch::{self, Line, Outcome};
use adlib_shared::brief::Brief;
use adlib_shared::event::{self, Delta, Event};
use adlib_shared::problem::Problem;
use futures::executor::block_on;
use futures::stream::StreamExt;
use http::{Method, Response};
use serde_json::{Value, json};

use super::*;
use crate::authenticate::KeyLimits;
use crate::harness::{Answered, Harness, brief, written};
use crate::reply::Body;
use crate::world::SendError;

const MODEL: &str = "sha256:one";
/// What the copies of the tests use.
const USED: u32 = 180 + 96;

fn on_both(changes: &[(&'static str, &'static str)], test: impl Fn(Harness)) {
    for harness in [Harness::with(changes), Harness::on_redis(changes)] {
        harness.expect_model(MODEL);
        test(harness);
    }
}

fn named(name: &str) -> Value {
    let mut brief = brief();
    brief["product"]["name"] = name.into();
    brief
}

fn estimated(brief: &Value) -> u32 {
    estimate(&Brief::parse(brief.to_string().as_bytes(), &["en"]).expect("a brief"))
}

/// What is left of the tokens by a reply. A token of 600 a minute comes back in a tenth of a second, so that a real clock
/// gives some back during a test.
fn left(answered: &Answered) -> u32 {
    answered.header("x-ratelimit-remaining-tokens").parse().unwrap_or_else(|_| panic!("{answered:?}"))
}

fn is_about(left: u32, expected: u32) -> bool {
    (expected..expected + 20).contains(&left)
}

/// What is left of the tokens of the tests' key.
fn left_now(harness: &Harness) -> u32 {
    left(&harness.ask(Method::GET, "/v1/tones", &[], &Value::Null))
}

/// Lets the origin begin a stream, and asks for it.
fn begin_stream(harness: &Harness, name: &str) -> Body {
    let delta = Delta { variant: "v1".into(), field: "post".into(), index: 0, text: "Green ".into() };
    let pieces = vec![Ok(Event::Delta(delta).encode().into()), Err(SendError::Broken("reset".into()))];
    let answer = Response::builder().status(200).header("content-type", event::CONTENT_TYPE);
    harness.world().expect(Ok(answer.body(pieces).expect("a valid head")));
    let response = harness.begin(Method::POST, "/v1/copy", &[("accept", event::CONTENT_TYPE)], &named(name));
    assert_eq!(response.status().as_u16(), 200);
    response.into_body()
}

#[test]
fn tokens_are_reserved_and_then_settled_by_what_was_used() {
    on_both(&[("tokens_per_minute", "600")], |harness| {
        let reserved = estimated(&named("Tea"));
        assert!(reserved > 600, "{reserved}: it takes all of them");
        harness.expect_copy(&written(MODEL));
        let miss = harness.copy(&[], &named("Tea"));
        assert_eq!((miss.status.as_u16(), left(&miss)), (200, 0));
        assert!(miss.header("ratelimit-policy").ends_with("\"tokens\";q=600;qu=\"tokens\";w=60"), "{miss:?}");
        let hit = harness.apart().copy(&[], &named("Tea"));
        assert!(hit.header("cache-status").starts_with("adlib; hit") && is_about(left(&hit), 600 - USED));
        let refused = harness.copy(&[], &named("Oats"));
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (429, &json!("rate_limited")));
        assert!(refused.header("retry-after").parse::<u32>().expect("seconds") > 1);
        assert_eq!(harness.copy(&[], &named("Tea")).status.as_u16(), 200, "a hit takes none");
    });
}

#[test]
fn whoever_gets_nothing_pays_nothing() {
    on_both(&[("tokens_per_minute", "600")], |harness| {
        let problem = Problem::new(Code::InfeasibleConstraints, "no copy fits");
        harness.world().expect_body(422, adlib_shared::problem::CONTENT_TYPE, problem.to_json());
        assert_eq!(harness.copy(&[], &named("Tea")).status.as_u16(), 422);
        assert!(is_about(left_now(&harness), 600));
        let late = Problem::new(Code::DeadlineExceeded, "the time is over");
        harness.world().expect_body(504, adlib_shared::problem::CONTENT_TYPE, late.to_json());
        assert_eq!(harness.copy(&[], &named("Oats")).status.as_u16(), 504);
        assert!(is_about(left_now(&harness), 0), "but whose time was over pays what was reserved");
    });
}

#[test]
fn a_client_that_leaves_pays_what_was_reserved() {
    on_both(&[("tokens_per_minute", "600")], |harness| {
        drop(begin_stream(&harness, "Tea"));
        block_on(harness.world().catch_up());
        assert!(is_about(left_now(&harness), 0));
    });
}

#[test]
fn a_stream_that_ends_well_is_settled_and_one_that_breaks_costs_nothing() {
    on_both(&[("tokens_per_minute", "600")], |harness| {
        let read = |body: Body| {
            let Body::Pieces(mut pieces) = body else { panic!("a stream") };
            block_on(async {
                while pieces.next().await.is_some() {}
                drop(pieces);
                harness.world().catch_up().await;
            });
        };
        read(begin_stream(&harness, "Tea"));
        assert!(is_about(left_now(&harness), 600), "it broke");
        harness.world().expect_body(200, event::CONTENT_TYPE, Event::Done(written(MODEL)).encode());
        assert_eq!(harness.copy(&[("accept", event::CONTENT_TYPE)], &named("Tea")).status.as_u16(), 200);
        assert!(is_about(left_now(&harness), 600 - USED));
    });
}

#[test]
fn a_batch_pays_for_what_was_written() {
    on_both(&[("tokens_per_minute", "6000")], |harness| {
        let copied = Line { index: 0, outcome: Outcome::Copy(Box::new(written(MODEL))) };
        let refused = Problem::new(Code::InfeasibleConstraints, "no copy fits");
        let refused = Line { index: 1, outcome: Outcome::Problem(refused) };
        harness.world().expect_body(200, batch::CONTENT_TYPE, [copied.encode(), refused.encode()].concat());
        let briefs = json!({ "briefs": [named("Tea"), named("Oats")] });
        assert_eq!(harness.ask(Method::POST, "/v1/copy/batch", &[], &briefs).status.as_u16(), 200);
        let left = left_now(&harness);
        assert!((6000 - USED..6000 - USED + 150).contains(&left), "{left}");
    });
}

#[test]
fn so_many_streams_of_a_key_run_at_once_and_not_one_more() {
    on_both(&[("streams_max", "2")], |harness| {
        let running = [begin_stream(&harness, "Tea"), begin_stream(&harness, "Oats")];
        let refused = harness.copy(&[], &named("Coffee"));
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (429, &json!("rate_limited")));
        assert_eq!(refused.header("retry-after"), "1");
        drop(running);
        block_on(harness.world().catch_up());
        harness.expect_copy(&written(MODEL));
        assert_eq!(harness.copy(&[], &named("Coffee")).status.as_u16(), 200);
        let again = [begin_stream(&harness, "Tea"), begin_stream(&harness, "Oats")];
        assert_eq!(harness.copy(&[], &named("Coffee")).status.as_u16(), 200, "a hit needs none");
        drop(again);
    });
}

#[test]
fn instances_count_their_streams_together_on_redis() {
    let first = Harness::on_redis(&[("streams_max", "1")]);
    first.expect_model(MODEL);
    let _running = begin_stream(&first, "Tea");
    block_on(first.world().catch_up());
    assert_eq!(first.apart().copy(&[], &named("Oats")).status.as_u16(), 429);
}

#[test]
fn a_keys_own_limits_go_before_the_deployments() {
    let harness = Harness::with(&[("tokens_per_minute", "600"), ("streams_max", "1")]);
    let limits = |streams, tokens| KeyLimits {
        streams_max: Some(streams),
        tokens_per_minute: Some(tokens),
        ..KeyLimits::default()
    };
    let general = &harness.edge.settings().expect("settings").limits;
    for (own, streams, tokens) in [
        (KeyLimits::default(), Some(1), Some(600)),
        (limits(5, 7), Some(5), Some(7)),
        (limits(0, 0), None, None),
    ] {
        assert_eq!((general.streams_of(&own), general.tokens_of(&own)), (streams, tokens));
    }
}

#[test]
fn without_a_store_the_instances_few_ways_take_their_place() {
    let harness =
        Harness::with(&[("streams_max", "1"), ("tokens_per_minute", "600"), ("rate_per_minute", "0")]);
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    harness.copy(&[], &brief());
    harness.world().fail(true);
    harness.expect_copy(&written(MODEL));
    assert_eq!(harness.copy(&[], &named("Oats")).status.as_u16(), 200);
    let _taken: Vec<_> = std::iter::from_fn(|| harness.edge.shelter.pass()).collect();
    assert_eq!(harness.copy(&[], &named("Oats")).status.as_u16(), 503);
}

#[test]
fn longer_briefs_and_more_variants_are_estimated_higher() {
    let mut brief = brief();
    let small = estimated(&brief);
    brief["variants"] = 10.into();
    let many = estimated(&brief);
    brief["audience"] = "a".repeat(800).into();
    assert!(small < many && many + 199 <= estimated(&brief));
    brief["channel"] = "email".into();
    assert!(estimated(&brief) < 20_000, "not as if every text were as long as it may be");
}

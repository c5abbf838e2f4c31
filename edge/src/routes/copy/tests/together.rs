//! Equal briefs at the same time.

use std::time::Duration;

use futures::executor::block_on;
use futures::future::{Either, join, join_all, select};

use super::*;
use crate::flight::{LEASE_MS, PAUSE_MAX, PROLONG};
use crate::harness::{key, request};

fn asking(directive: &str, brief: &Value) -> http::Request<Bytes> {
    request(&key(), Method::POST, "/v1/copy", &[("cache-control", directive)], brief)
}

/// How many requests for copy the origin got.
fn asked(harness: &Harness) -> usize {
    harness.world().sent().iter().filter(|request| request.uri().path() == "/v1/copy").count()
}

/// An edge that has answered another brief, and whose store and origin take their time.
fn ready() -> Harness {
    let harness = Harness::with(&[("rate_per_minute", "0")]);
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    let mut other = brief();
    other["product"]["name"] = "Coffee".into();
    harness.copy(&[], &other);
    harness.world().sent();
    harness.world().slow_down();
    harness
}

#[test]
fn five_hundred_equal_briefs_reach_the_origin_once() {
    let harness = ready();
    harness.expect_copy(&written(MODEL));
    let requests = (0..500).map(|index| if index % 2 == 0 { brief() } else { streaming() });
    let answers = block_on(join_all(requests.map(|brief| harness.answered(asking("", &brief)))));
    assert_eq!(asked(&harness), 1);
    let collapsed =
        |answered: &&Answered| answered.header("cache-status") == "adlib; fwd=uri-miss; collapsed";
    assert_eq!(answers.iter().filter(collapsed).count(), 499);
    assert_eq!(answers.iter().filter(|answered| answered.status == StatusCode::OK).count(), 500);
    assert_eq!(events(&answers[499]).last(), Some(&Event::Done(written(MODEL))));
}

#[test]
fn a_miss_asks_redis_once_before_the_origin_and_once_after_it() {
    let harness = Harness::on_redis(&[]);
    harness.expect_model(MODEL);
    // The first one also gives the server the scripts.
    for product in ["Coffee", "Tea"] {
        let mut brief = brief();
        brief["product"]["name"] = product.into();
        harness.expect_copy(&written(MODEL));
        let asked_before = harness.world().reads("EVAL");
        let answered = block_on(harness.answered(asking("", &brief)));
        assert_eq!(answered.header("cache-status"), "adlib; fwd=uri-miss; stored");
        let asked = harness.world().reads("EVAL") - asked_before;
        assert_eq!((asked, harness.world().reads("GET")), if product == "Tea" { (2, 1) } else { (4, 1) });
        block_on(harness.world().catch_up());
    }
}

#[test]
fn several_instances_over_one_store_reach_the_origin_once() {
    let harness = ready();
    harness.expect_copy(&written(MODEL));
    let instances: Vec<Harness> = (0..10).map(|_| harness.beside()).collect();
    let requests =
        instances.iter().flat_map(|instance| (0..5).map(|_| instance.answered(asking("", &brief()))));
    let answers = block_on(join_all(requests.collect::<Vec<_>>()));
    assert_eq!(asked(&harness), 1);
    assert!(answers.iter().all(|answered| answered.status == StatusCode::OK));
}

#[test]
fn a_request_for_a_fresh_copy_goes_alone() {
    let harness = ready();
    for _ in 0..3 {
        harness.expect_copy(&written(MODEL));
    }
    let requests =
        ["", "no-cache", "no-store"].map(|directive| harness.answered(asking(directive, &brief())));
    let answers = block_on(join_all(requests));
    assert_eq!(asked(&harness), 3);
    assert!(answers.iter().all(|answered| answered.status == StatusCode::OK));
}

#[test]
fn the_leaders_failure_is_the_followers_too() {
    let harness = ready();
    let problem = Problem::new(Code::Overloaded, "the queue is full").to_json();
    harness.world().expect_body(503, problem::CONTENT_TYPE, problem);
    let answers = block_on(join_all((0..20).map(|_| harness.answered(asking("", &brief())))));
    assert_eq!(asked(&harness), 1);
    assert!(answers.iter().all(|answered| answered.json()["code"] == "overloaded"));
}

#[test]
fn followers_of_a_leader_whose_client_left_go_on_without_it() {
    let harness = ready();
    let stream = Event::Done(written(MODEL)).encode();
    harness.world().expect_body(200, "text/event-stream", stream);
    harness.expect_copy(&written(MODEL));
    let leaving = async {
        let request = asking("", &streaming()).map(http_body_util::Full::new);
        let response = harness.edge.answer(request, harness.now_ms).await;
        harness.world().sleep(PAUSE_MAX).await;
        drop(response);
    };
    let followers = join_all((0..20).map(|_| harness.answered(asking("", &brief()))));
    let ((), answers) = block_on(join(leaving, followers));
    assert_eq!(asked(&harness), 2);
    assert!(answers.iter().all(|answered| answered.status == StatusCode::OK));
}

#[test]
fn a_leader_whose_request_is_withheld_fails_alone() {
    let harness = ready();
    harness.world().expect(Err(SendError::Denied("its client has left".to_owned())));
    harness.expect_copy(&written(MODEL));
    let answers = block_on(join_all((0..20).map(|_| harness.answered(asking("", &brief())))));
    assert_eq!(asked(&harness), 2);
    assert_eq!(answers.iter().filter(|answered| answered.status == StatusCode::OK).count(), 19);
}

#[test]
fn an_instance_that_ends_in_the_middle_holds_the_others_up_for_its_lease_at_most() {
    let harness = ready();
    let stream = Event::Done(written(MODEL)).encode();
    harness.world().expect_body(200, "text/event-stream", stream);
    harness.expect_copy(&written(MODEL));
    let request = asking("", &streaming()).map(http_body_util::Full::new);
    // The stream has begun, and nobody reads it to its end: the instance is gone with it.
    let killed = block_on(harness.edge.answer(request, harness.now_ms));
    let before = harness.world().slept();
    let other = harness.beside();
    let answered = block_on(other.answered(asking("", &brief())));
    let waited = harness.world().slept().saturating_sub(before);
    assert_eq!((answered.status, asked(&harness)), (StatusCode::OK, 2));
    let lease = Duration::from_millis(LEASE_MS);
    assert!(waited + PAUSE_MAX >= lease && waited <= lease + PROLONG + PAUSE_MAX, "{waited:?}");
    drop(killed);
}

#[test]
fn a_follower_that_has_waited_too_long_takes_a_stale_copy_or_goes_its_own_way() {
    for passed_s in [FRESH_S + 100, FRESH_S + 100_000] {
        let mut harness = warm();
        harness.now_ms += passed_s * 1000;
        harness.expect_model(MODEL);
        harness.ask(Method::GET, "/v1/models", &[], &Value::Null);
        harness.world().slow_down();
        harness.world().expect_silence();
        harness.expect_copy(&written(MODEL));
        let leading = std::pin::pin!(harness.answered(asking("", &brief())));
        let following = std::pin::pin!(async {
            give_way(&harness).await;
            harness.answered(asking("", &brief())).await
        });
        let Either::Right((followed, _)) = block_on(select(leading, following)) else {
            panic!("the origin is silent")
        };
        let expected = if passed_s < 100_000 {
            "fwd=stale; ttl=-100; detail=stale-if-error"
        } else {
            "fwd=uri-miss; stored"
        };
        assert_eq!(followed.header("cache-status"), format!("adlib; {expected}"));
    }
}

/// Lets the others reach the origin.
async fn give_way(harness: &Harness) {
    while asked(harness) == 0 {
        harness.world().sleep(Duration::ZERO).await;
    }
}

#[test]
fn the_epochs_are_read_again_once_a_second() {
    let mut harness = Harness::with(&[("rate_per_minute", "0")]);
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    harness.copy(&[], &brief());
    harness.now_ms += crate::store::key_value::LAG_MS_MAX;
    for epochs in [10, 0, 0] {
        let before = harness.world().reads("epoch/");
        assert!(harness.copy(&[], &brief()).header("cache-status").starts_with("adlib; hit"));
        assert_eq!(harness.world().reads("epoch/") - before, epochs);
    }
}

//! Who is let in: requests that nobody vouches for, and keys from their first day to their last.

use std::time::{Duration, Instant};

use adlib_tests::{Answer, Client, Stack, StackOptions};
use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::json;

use crate::support::{brief, run};

/// Within so long a revocation is seen by every instance.
const REVOKED_MAX: Duration = Duration::from_secs(10);

#[test]
fn keys_that_are_missing_malformed_or_wrong_are_refused() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let slip = "ck_test_0000000000000000000000aaaaaa";
        let unknown = adlib_shared::api_key::ApiKey::generate(adlib_shared::api_key::Kind::Test, [9; 16]);
        for key in [None, Some("nonsense"), Some(slip), Some(unknown.expose())] {
            let client = key.map_or_else(|| stack.anonymous.clone(), |key| stack.anonymous.with_key(key));
            let answer = client.copy(&brief(0)).await?;
            ensure!((answer.status, answer.code().as_str()) == (401, "unauthorized"), "{key:?}: {answer:?}");
            ensure!(answer.header("www-authenticate").starts_with("Bearer"), "{key:?}: {answer:?}");
        }
        stack.stop().await
    })
}

#[test]
fn the_origin_refuses_requests_that_the_edge_did_not_sign() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let answer = Client::new(stack.origin.url()).copy(&brief(0)).await?;
        ensure!((answer.status, answer.code().as_str()) == (401, "unauthorized"), "{answer:?}");
        stack.stop().await
    })
}

/// The client whose key an answer tells.
fn told(stack: &Stack, answer: &Answer) -> anyhow::Result<Client> {
    let key = answer.json()["key"].as_str().context("no key is told")?.to_owned();
    Ok(stack.anonymous.with_key(key))
}

#[test]
fn a_key_is_made_used_rotated_and_revoked_over_http() -> anyhow::Result<()> {
    run(async {
        let variables = vec![("failures_per_minute", "0".to_owned()), ("strikes_max", "0".to_owned())];
        let stack = Stack::start(StackOptions { variables, ..StackOptions::default() }).await?;
        let wanted = json!({ "tenant": "acme", "name": "ci", "scopes": ["copy"], "kind": "live" });
        ensure!(
            stack.client.post("/admin/keys", &wanted).await?.status == 403,
            "a key for copies makes none"
        );
        let made = stack.operator.post("/admin/keys", &wanted).await?;
        ensure!(made.status == 201, "{made:?}");
        let (first, id) = (told(&stack, &made)?, made.json()["id"].as_str().context("no id")?.to_owned());
        let written = stack.client.copy(&brief(0)).await?;
        let hit = first.copy(&brief(0)).await?;
        ensure!((written.status, hit.status) == (200, 200), "{written:?} {hit:?}");
        ensure!(hit.header("cache-status").starts_with("adlib; hit"), "one tenant, two keys: {hit:?}");

        let path = format!("/admin/keys/{id}");
        let rotated = stack.operator.post(&format!("{path}/rotate"), &json!({ "overlap_s": 60 })).await?;
        ensure!(rotated.status == 200, "{rotated:?}");
        let clients = [first, told(&stack, &rotated)?];
        for client in &clients {
            ensure!(client.get("/v1/tones").await?.status == 200, "both secrets are taken");
        }
        let listed = stack.operator.get("/admin/keys?tenant=acme").await?.json();
        ensure!(listed["keys"][0]["secrets"].as_array().map(Vec::len) == Some(2), "{listed}");

        let revoked = Answer::of(stack.operator.request(Method::DELETE, &path)).await?;
        ensure!(revoked.status == 204, "{revoked:?}");
        let since = Instant::now();
        // Once is not enough: another instance may go by what it has read for a while.
        let mut refused = 0;
        while refused < 20 {
            ensure!(since.elapsed() < REVOKED_MAX, "a revoked key is still taken");
            for client in &clients {
                let status = client.get("/v1/tones").await?.status;
                refused = if status == 401 { refused + 1 } else { 0 };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ensure!(stack.operator.get(&path).await?.status == 404, "it is not shown any more");
        stack.stop().await
    })
}

//! Requests that nobody vouches for.

use adlib_tests::{Client, Stack, StackOptions};
use anyhow::ensure;

use crate::support::{brief, run};

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

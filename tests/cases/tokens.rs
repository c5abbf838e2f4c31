//! Callers who show a JSON Web Token.

use adlib_tests::{Issuer, IssuerKey, Stack, StackOptions};
use anyhow::ensure;

use crate::support::{brief, run};

/// A stack that takes the tokens of this issuer.
async fn trusting(issuer: &Issuer) -> anyhow::Result<Stack> {
    Stack::start(StackOptions { variables: issuer.variables(), ..StackOptions::default() }).await
}

#[test]
fn tokens_of_both_algorithms_are_taken_and_share_what_their_tenant_has() -> anyhow::Result<()> {
    run(async {
        let issuer = Issuer::start().await?;
        let stack = trusting(&issuer).await?;
        let (one, two) = (IssuerKey::ed25519(1), IssuerKey::p256(2)?);
        issuer.publish("one", &one);
        issuer.publish("two", &two);
        let by_key = stack.client.copy(&brief(1)).await?;
        ensure!(by_key.status == 200 && issuer.asked() == 0, "a key needs no issuer: {by_key:?}");
        for (id, key) in [("one", &one), ("two", &two)] {
            let client = stack.anonymous.with_key(issuer.token(id, key, "acme", 300));
            let hit = client.copy(&brief(1)).await?;
            ensure!(hit.status == 200 && hit.header("cache-status").contains("hit"), "{id}: {hit:?}");
            let other = stack.anonymous.with_key(issuer.token(id, key, "somebody", 300));
            ensure!(other.get("/v1/stats").await?.status == 200, "{id}");
            ensure!(
                other.copy(&brief(1)).await?.header("cache-status").contains("fwd") == (id == "one"),
                "{id}"
            );
        }
        ensure!(issuer.asked() == 1, "the keys were fetched {} times", issuer.asked());
        stack.stop().await
    })
}

#[test]
fn tokens_that_are_not_valid_are_refused() -> anyhow::Result<()> {
    run(async {
        let issuer = Issuer::start().await?;
        let stack = trusting(&issuer).await?;
        let (key, stranger) = (IssuerKey::ed25519(1), IssuerKey::ed25519(9));
        issuer.publish("one", &key);
        let mut changed = issuer.token("one", &key, "acme", 300);
        changed.replace_range(60..61, if &changed[60..61] == "A" { "B" } else { "A" });
        for (token, asked) in [
            (changed, 0),
            (issuer.token("one", &key, "acme", -300), 0),
            (issuer.token("one", &stranger, "acme", 300), 1),
            (issuer.token("nine", &stranger, "acme", 300), 1),
        ] {
            let answer = stack.anonymous.with_key(&token).copy(&brief(1)).await?;
            ensure!((answer.status, answer.code().as_str()) == (401, "unauthorized"), "{token}: {answer:?}");
            ensure!(answer.header("www-authenticate").contains("invalid_token"), "{answer:?}");
            ensure!(issuer.asked() == asked, "{token}: asked {} times", issuer.asked());
        }
        stack.stop().await
    })
}

#[test]
fn an_issuer_that_is_away_leaves_keys_as_they_are_and_refuses_tokens() -> anyhow::Result<()> {
    run(async {
        let issuer = Issuer::start().await?;
        let stack = trusting(&issuer).await?;
        let key = IssuerKey::ed25519(1);
        let token = issuer.token("one", &key, "acme", 300);
        drop(issuer);
        let refused = stack.anonymous.with_key(token).copy(&brief(1)).await?;
        ensure!((refused.status, refused.code().as_str()) == (503, "overloaded"), "{refused:?}");
        ensure!(stack.client.copy(&brief(1)).await?.status == 200, "a key is taken");
        stack.stop().await
    })
}

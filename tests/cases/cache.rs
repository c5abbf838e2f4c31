//! The second time the edge's cache answers.

use adlib_tests::{Stack, StackOptions};
use anyhow::ensure;
use reqwest::Method;
use serde_json::json;

use crate::support::{brief, run, with};

#[test]
fn a_miss_is_stored_and_the_next_request_is_a_hit() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let miss = stack.client.copy(&brief(1)).await?;
        ensure!(miss.status == 200, "{}", String::from_utf8_lossy(&miss.body));
        ensure!(miss.header("cache-status").contains("fwd=uri-miss"), "{}", miss.header("cache-status"));
        ensure!(miss.header("cache-status").contains("stored"), "{}", miss.header("cache-status"));
        let hit = stack.client.copy(&brief(1)).await?;
        ensure!(hit.status == 200 && hit.body == miss.body, "the same copy");
        ensure!(hit.header("cache-status").starts_with("adlib; hit; ttl="), "{}", hit.header("cache-status"));
        ensure!(hit.header("age").parse::<u32>().is_ok_and(|age| age < 60), "age {}", hit.header("age"));
        ensure!(
            hit.header("etag") == miss.header("etag") && !hit.header("etag").is_empty(),
            "equal entity tags"
        );
        stack.stop().await
    })
}

#[test]
fn hits_outlive_the_origin_and_misses_say_that_it_is_gone() -> anyhow::Result<()> {
    run(async {
        let mut stack = Stack::start(StackOptions::default()).await?;
        ensure!(stack.client.copy(&brief(1)).await?.status == 200);
        stack.origin.kill().await?;
        let hit = stack.client.copy(&brief(1)).await?;
        ensure!(hit.status == 200 && hit.header("cache-status").contains("hit"), "{hit:?}");
        let miss = stack.client.copy(&brief(2)).await?;
        ensure!((miss.status, miss.code().as_str()) == (503, "origin_unavailable"), "{miss:?}");
        Ok(())
    })
}

#[test]
fn tenants_do_not_share_entries() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        ensure!(stack.client.copy(&brief(1)).await?.status == 200);
        let other = stack.other.copy(&brief(1)).await?;
        ensure!(other.header("cache-status").contains("fwd=uri-miss"), "{}", other.header("cache-status"));
        stack.stop().await
    })
}

#[test]
fn briefs_that_mean_the_same_share_an_entry_and_others_do_not() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        ensure!(stack.client.copy(&brief(1)).await?.status == 200);
        let defaults =
            with(brief(1), json!({"tone": ["professional"], "language": "en", "framework": "auto"}));
        let same = stack.client.copy(&defaults).await?;
        ensure!(same.header("cache-status").contains("hit"), "{}", same.header("cache-status"));
        for change in [
            json!({"seed": 1}),
            json!({"variants": 1}),
            json!({"tone": ["bold"]}),
            json!({"channel": "seo_meta"}),
        ] {
            let answer = stack.client.copy(&with(brief(1), change.clone())).await?;
            ensure!(answer.header("cache-status").contains("fwd=uri-miss"), "{change}: {answer:?}");
        }
        stack.stop().await
    })
}

#[test]
fn request_directives_are_kept() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let ask = async |directive: &str, number: u32| {
            let request = stack.client.request(Method::POST, "/v1/copy").header("cache-control", directive);
            adlib_tests::Answer::of(request.json(&brief(number))).await
        };
        let absent = ask("only-if-cached", 1).await?;
        ensure!((absent.status, absent.code().as_str()) == (504, "only_if_cached"), "{absent:?}");
        let unstored = ask("no-store", 1).await?;
        ensure!(
            unstored.status == 200 && !unstored.header("cache-status").contains("stored"),
            "{unstored:?}"
        );
        ensure!(ask("only-if-cached", 1).await?.status == 504, "no-store stored nothing");
        ensure!(ask("max-age=60", 1).await?.status == 200);
        ensure!(ask("only-if-cached", 1).await?.status == 200);
        let fresh = ask("no-cache", 1).await?;
        ensure!(fresh.status == 200 && fresh.header("cache-status").contains("fwd=request"), "{fresh:?}");
        stack.stop().await
    })
}

#[test]
fn an_entry_ends_with_its_time_to_live() -> anyhow::Result<()> {
    run(async {
        let variables = [("cache_ttl_s", "1"), ("stale_while_revalidate_s", "0"), ("stale_if_error_s", "0")];
        let variables = variables.map(|(name, value)| (name, value.to_owned())).to_vec();
        let stack = Stack::start(StackOptions { variables, ..StackOptions::default() }).await?;
        ensure!(stack.client.copy(&brief(1)).await?.status == 200);
        tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
        let late = stack.client.copy(&brief(1)).await?;
        ensure!(!late.header("cache-status").contains("hit"), "{}", late.header("cache-status"));
        stack.stop().await
    })
}

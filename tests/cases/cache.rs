//! The second time the edge's cache answers.

use std::time::{Duration, Instant};

use adlib_tests::{Answer, Client, Stack, StackOptions};
use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};

use crate::running;
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
fn tenants_do_not_share_entries_nor_learn_what_others_have_asked() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let origin = Client::new(stack.origin.url());
        // The time that it takes tells nothing either: the second tenant's first request waits for the origin too.
        for (asked, client) in (1..).zip([&stack.client, &stack.other]) {
            let first = client.copy(&brief(1)).await?;
            ensure!(first.header("cache-status") == "adlib; fwd=uri-miss; stored", "{first:?}");
            ensure!(running::requests(&origin, "/v1/copy").await? == asked, "the origin wrote it");
        }
        for client in [&stack.client, &stack.other] {
            ensure!(client.copy(&brief(1)).await?.header("cache-status").contains("hit"));
        }
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
            Answer::of(request.json(&brief(number))).await
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
        tokio::time::sleep(Duration::from_millis(2100)).await;
        let late = stack.client.copy(&brief(1)).await?;
        ensure!(!late.header("cache-status").contains("hit"), "{}", late.header("cache-status"));
        stack.stop().await
    })
}

#[test]
fn an_expired_copy_is_given_at_once_and_written_anew() -> anyhow::Result<()> {
    run(async {
        let variables = vec![("cache_ttl_s", "1".to_owned())];
        let stack = Stack::start(StackOptions { variables, ..StackOptions::default() }).await?;
        let first = stack.client.copy(&brief(1)).await?;
        tokio::time::sleep(Duration::from_millis(2100)).await;
        let stale = stack.client.copy(&brief(1)).await?;
        ensure!(stale.header("cache-status").ends_with("detail=stale-while-revalidate"), "{stale:?}");
        ensure!(stale.json()["id"] == first.json()["id"], "the stale copy");
        let begun = Instant::now();
        while stack.client.copy(&brief(1)).await?.json()["id"] == first.json()["id"] {
            ensure!(begun.elapsed() < Duration::from_secs(30), "nothing was written anew");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        stack.stop().await
    })
}

#[test]
fn a_copy_is_asked_for_by_query_and_found_by_its_id() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let miss = stack.client.copy(&brief(1)).await?;
        let query = Method::from_bytes(b"QUERY")?;
        let hit = Answer::of(stack.client.request(query, "/v1/copy").json(&brief(1))).await?;
        ensure!(hit.body == miss.body && hit.header("cache-status").contains("hit"), "{hit:?}");
        let path = format!("/v1/copies/{}", miss.json()["id"].as_str().unwrap_or_default());
        let begun = Instant::now();
        let found = loop {
            let found = stack.client.get(&path).await?;
            // The id is noted after the reply.
            if found.status == 200 || begun.elapsed() > Duration::from_secs(10) {
                break found;
            }
        };
        ensure!(found.status == 200 && found.body == miss.body, "{found:?}");
        let request = stack.client.request(Method::GET, &path).header("if-none-match", found.header("etag"));
        ensure!(Answer::of(request).await?.status == 304, "the client has it already");
        ensure!(stack.other.get(&path).await?.status == 404, "it is nobody else's");
        stack.stop().await
    })
}

#[test]
fn a_batch_is_answered_by_lines() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let cached = stack.client.copy(&brief(1)).await?;
        let briefs = json!({"briefs": [brief(2), brief(1), {"channel": "fax"}, brief(2)]});
        let answer = stack.client.post("/v1/copy/batch", &briefs).await?;
        ensure!(answer.status == 200, "{answer:?}");
        let lines: Vec<Value> = answer
            .body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(serde_json::from_slice)
            .collect::<Result<_, _>>()?;
        let line = |index: u64| lines.iter().find(|line| line["index"] == index).unwrap_or(&Value::Null);
        ensure!(lines.len() == 4, "{lines:?}");
        ensure!(line(1)["copy"]["id"] == cached.json()["id"], "from the cache");
        ensure!(line(2)["problem"]["status"] == 422, "{}", line(2));
        ensure!(line(0)["copy"]["id"].is_string() && line(0)["copy"] == line(3)["copy"], "equal briefs");
        let hit = stack.client.copy(&brief(2)).await?;
        ensure!(hit.json() == line(0)["copy"], "the batch's copies are kept");
        stack.stop().await
    })
}

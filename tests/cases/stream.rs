//! Copy as it is written.

use std::time::Duration;

use adlib_shared::copy::Copy;
use adlib_shared::event::Event;
use adlib_tests::{Client, Origin, OriginOptions, Stack, StackOptions};
use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::json;

use crate::running;
use crate::support::{LONG_TOKENS, brief, long, run, with};

fn streamed(number: u32) -> serde_json::Value {
    with(brief(number), json!({"stream": true, "seed": 5}))
}

#[test]
fn a_stream_tells_its_start_its_text_its_variants_and_its_end() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let answer = stack.client.copy(&streamed(1)).await?;
        ensure!(answer.header("content-type").starts_with("text/event-stream"), "{answer:?}");
        let events = answer.events()?;
        ensure!(matches!(events.first(), Some(Event::Start(_))), "{events:?}");
        let Some(Event::Done(copy)) = events.last() else { anyhow::bail!("no done: {events:?}") };
        ensure!(copy.variants.len() == 2 && copy.variants.iter().all(|variant| variant.ok), "{copy:?}");
        ensure!(events.iter().filter(|event| matches!(event, Event::Variant(_))).count() == 2);
        ensure!(events.iter().any(|event| matches!(event, Event::Delta(_))), "{events:?}");
        stack.stop().await
    })
}

#[test]
fn a_streamed_copy_is_replayed_as_json_and_as_a_stream() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let events = stack.client.copy(&streamed(1)).await?.events()?;
        let Some(Event::Done(copy)) = events.last() else { anyhow::bail!("no done: {events:?}") };
        // The entry is stored after the stream's end.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let whole = stack.client.copy(&with(streamed(1), json!({"stream": false}))).await?;
        ensure!(whole.header("cache-status").contains("hit"), "{}", whole.header("cache-status"));
        ensure!(whole.json()["id"] == copy.id.as_str(), "{}", whole.json());
        let again = stack.client.copy(&streamed(1)).await?;
        ensure!(again.header("cache-status").contains("hit"), "{}", again.header("cache-status"));
        ensure!(again.events()?.last() == Some(&Event::Done(copy.clone())), "the same copy");
        stack.stop().await
    })
}

#[test]
fn a_seed_writes_the_same_copy_streamed_or_whole_alone_or_in_a_crowd() -> anyhow::Result<()> {
    run(async {
        let origin = Origin::start(&OriginOptions::default()).await?;
        let client = Client::new(origin.url());
        let alone = client.copy(&with(brief(1), json!({"seed": 5}))).await?;
        let alone: Copy = serde_json::from_slice(&alone.body)?;
        ensure!(alone.seed == 5, "{alone:?}");
        let crowd: Vec<_> = (2..6)
            .map(|number| {
                let client = client.clone();
                tokio::spawn(async move { client.copy(&brief(number)).await })
            })
            .collect();
        let events = client.copy(&streamed(1)).await?.events()?;
        let Some(Event::Done(copy)) = events.last() else { anyhow::bail!("no done: {events:?}") };
        ensure!(copy.variants == alone.variants, "{copy:?}\n{alone:?}");
        for one in crowd {
            ensure!(one.await??.status == 200);
        }
        Ok(())
    })
}

#[test]
fn a_client_that_leaves_frees_the_origin_within_a_second() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let slow = with(long(1), json!({"stream": true}));
        let mut response = stack.client.request(Method::POST, "/v1/copy").json(&slow).send().await?;
        ensure!(response.chunk().await?.is_some(), "the stream begins");
        let metrics = Client::new(stack.origin.url());
        running::until(&metrics, Duration::from_secs(5), |running| running > 0.0)
            .await
            .context("it never ran")?;
        drop(response);
        running::until(&metrics, Duration::from_secs(1), |running| running == 0.0)
            .await
            .context("the client left")?;
        ensure!(
            running::sampled_tokens(&metrics).await? < LONG_TOKENS / 2.0,
            "it was written nearly to its end"
        );
        stack.stop().await
    })
}

#[test]
fn a_client_that_leaves_before_the_whole_copy_frees_the_origin_behind_the_edge_too() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let client = stack.client.clone();
        let waiting = tokio::spawn(async move { client.copy(&long(1)).await });
        let metrics = Client::new(stack.origin.url());
        running::until(&metrics, Duration::from_secs(5), |running| running > 0.0).await?;
        waiting.abort();
        running::until(&metrics, Duration::from_secs(1), |running| running == 0.0)
            .await
            .context("it left")?;
        ensure!(running::held_blocks(&metrics).await? == 0.0, "its blocks are free");
        ensure!(stack.client.copy(&brief(1)).await?.status == 200, "the edge serves others");
        stack.stop().await
    })
}

#[test]
fn a_client_of_the_origin_that_leaves_before_the_whole_copy_frees_it_too() -> anyhow::Result<()> {
    run(async {
        let origin = Origin::start(&OriginOptions::default()).await?;
        let client = Client::new(origin.url());
        let waiting = {
            let client = client.clone();
            tokio::spawn(async move { client.copy(&long(1)).await })
        };
        running::until(&client, Duration::from_secs(5), |running| running > 0.0).await?;
        waiting.abort();
        running::until(&client, Duration::from_secs(1), |running| running == 0.0).await.context("it left")?;
        ensure!(
            running::sampled_tokens(&client).await? < LONG_TOKENS / 2.0,
            "it was written nearly to its end"
        );
        Ok(())
    })
}

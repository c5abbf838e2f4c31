//! Equal briefs at the same time, in the real component.

use std::time::{Duration, Instant};

use adlib_tests::{Answer, Stack, StackOptions};
use anyhow::ensure;
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{brief, long, run, with};

/// A stack whose edge is one instance, which answers up to 16 requests at once.
async fn one_instance() -> anyhow::Result<Stack> {
    Stack::start(StackOptions { instances_max: Some(1), ..StackOptions::default() }).await
}

#[test]
fn equal_briefs_are_written_once_by_an_instance() -> anyhow::Result<()> {
    run(async {
        let stack = one_instance().await?;
        ensure!(stack.client.copy(&brief(2)).await?.status == 200, "the model is known");
        let briefs = [true, false].map(|streams| with(brief(1), json!({"stream": streams})));
        let asking = (0..16).map(|index| stack.client.copy(&briefs[index % 2]));
        let answers = join_all(asking).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        let led = |answer: &&Answer| {
            let status = answer.header("cache-status");
            status.contains("fwd=") && !status.contains("collapsed")
        };
        let leaders = answers.iter().filter(led).count();
        ensure!(leaders == 1, "{leaders} requests went to the origin");
        stack.stop().await
    })
}

#[test]
fn a_leader_whose_client_leaves_in_the_middle_strands_nobody() -> anyhow::Result<()> {
    run(async {
        let stack = one_instance().await?;
        let brief = with(long(1), json!({"variants": 2}));
        let streamed = with(brief.clone(), json!({"stream": true}));
        let request = stack.client.request(Method::POST, "/v1/copy").json(&streamed);
        let mut leading = request.send().await?;
        ensure!(leading.chunk().await?.is_some(), "the stream has begun");
        let begun = Instant::now();
        let leave = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            drop(leading);
        };
        let followers = join_all((0..4).map(|_| stack.client.copy(&brief)));
        let (answers, ()) = tokio::join!(followers, leave);
        for answer in answers {
            let answer = answer?;
            ensure!(answer.status == 200, "{answer:?}");
        }
        ensure!(begun.elapsed() < Duration::from_secs(25), "it took {:?}", begun.elapsed());
        stack.stop().await
    })
}

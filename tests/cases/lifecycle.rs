//! Starting, stopping, dying and coming back.

use std::time::Duration;

use adlib_tests::{Client, Origin, OriginOptions, Stack, StackOptions};
use anyhow::ensure;
use serde_json::json;

use crate::support::{brief, run, with};

#[test]
fn a_restarted_origin_is_found_again() -> anyhow::Result<()> {
    run(async {
        let mut stack = Stack::start(StackOptions::default()).await?;
        ensure!(stack.client.copy(&brief(1)).await?.status == 200);
        stack.origin.kill().await?;
        ensure!(stack.client.copy(&brief(2)).await?.status == 503);
        stack.origin = Origin::start(&OriginOptions {
            address: Some(stack.origin.address()),
            hop_secret: Some(adlib_tests::HOP_SECRET.to_owned()),
            ..OriginOptions::default()
        })
        .await?;
        let answer = stack.client.copy(&brief(2)).await?;
        ensure!(answer.status == 200, "{answer:?}");
        stack.stop().await
    })
}

#[test]
fn a_stopping_origin_finishes_what_runs_takes_nothing_new_and_exits_with_0() -> anyhow::Result<()> {
    run(async {
        let mut origin = Origin::start(&OriginOptions::default()).await?;
        let client = Client::new(origin.url());
        let running = {
            let client = client.clone();
            let brief = with(brief(1), json!({"channel": "product_description", "variants": 4}));
            tokio::spawn(async move { client.copy(&brief).await })
        };
        tokio::time::sleep(Duration::from_millis(100)).await;
        origin.ask_to_stop().await?;
        let answer = running.await??;
        ensure!(answer.status == 200, "{answer:?}");
        ensure!(origin.wait().await?.success());
        ensure!(client.get("/healthz").await.is_err(), "nobody listens");
        Ok(())
    })
}

#[test]
fn an_origin_with_wrong_settings_says_so_and_does_not_start() -> anyhow::Result<()> {
    run(async {
        let flags = vec!["--sequences-max".to_owned(), "none".to_owned()];
        let mut origin = Origin::spawn(&OriginOptions { flags, ..OriginOptions::default() })?;
        ensure!(!origin.wait().await?.success());
        Ok(())
    })
}

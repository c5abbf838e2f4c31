//! Starting, stopping, dying and coming back.

use std::time::{Duration, Instant};

use adlib_tests::{Answer, Client, Origin, OriginOptions, Stack, StackOptions};
use anyhow::ensure;
use tokio::task::JoinHandle;

use crate::running;
use crate::support::{brief, long, run};

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

/// An origin that works on a long brief, and the answer to come.
async fn busy(flags: &[&str]) -> anyhow::Result<(Origin, Client, JoinHandle<anyhow::Result<Answer>>)> {
    let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let origin = Origin::start(&OriginOptions { flags, ..OriginOptions::default() }).await?;
    let client = Client::new(origin.url());
    let asking = client.clone();
    let answer = tokio::spawn(async move { asking.copy(&long(1)).await });
    running::until(&client, Duration::from_secs(5), |running| running > 0.0).await?;
    Ok((origin, client, answer))
}

#[test]
fn a_stopping_origin_finishes_what_runs_takes_nothing_new_and_exits_with_0() -> anyhow::Result<()> {
    run(async {
        let (mut origin, client, answer) = busy(&[]).await?;
        origin.ask_to_stop().await?;
        let begun = Instant::now();
        while Client::new(origin.url()).get("/healthz").await.is_ok() {
            ensure!(begun.elapsed() < Duration::from_secs(1), "it still listens");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        ensure!(!answer.is_finished(), "the brief is still written when nothing new is taken");
        let answer = answer.await??;
        ensure!(answer.status == 200, "{answer:?}");
        ensure!(origin.wait().await?.success());
        ensure!(client.get("/healthz").await.is_err(), "nobody listens");
        Ok(())
    })
}

#[test]
fn a_stopping_origin_waits_no_longer_than_it_may() -> anyhow::Result<()> {
    run(async {
        let (mut origin, _, answer) = busy(&["--drain-seconds", "0"]).await?;
        let begun = Instant::now();
        origin.ask_to_stop().await?;
        let status = origin.wait().await?;
        let took = begun.elapsed();
        ensure!(status.success(), "{status}");
        ensure!(took < Duration::from_secs(5), "it took {took:?}");
        ensure!(answer.await?.is_err(), "what was not finished is cut off");
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

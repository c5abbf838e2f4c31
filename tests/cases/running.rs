//! What an origin decodes at the moment, by its own gauge.

use std::time::{Duration, Instant};

use adlib_tests::Client;
use anyhow::{Context, ensure};

/// How often the gauge is read.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until the number of running sequences is as it should be.
pub(crate) async fn until(
    origin: &Client,
    patience: Duration,
    holds: impl Fn(f64) -> bool,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let running = sequences(origin).await?;
        if holds(running) {
            return Ok(());
        }
        ensure!(begun.elapsed() < patience, "{running} sequences run after {patience:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// The tokens that were sampled since the origin's start.
pub(crate) async fn sampled_tokens(origin: &Client) -> anyhow::Result<f64> {
    metric(origin, "adlib_engine_sampled_tokens_total").await
}

/// The blocks of the KV cache that sequences hold.
pub(crate) async fn held_blocks(origin: &Client) -> anyhow::Result<f64> {
    metric(origin, r#"adlib_engine_kv_blocks{replica="0",state="held"}"#).await
}

async fn sequences(origin: &Client) -> anyhow::Result<f64> {
    metric(origin, "adlib_engine_running_sequences").await
}

/// The requests that the origin was asked on a route since its start, once each has come to its end.
pub(crate) async fn requests(origin: &Client, route: &str) -> anyhow::Result<u64> {
    let text = text(origin).await?;
    let of_route = |line: &&str| line.contains(&format!("route=\"{route}\""));
    let lines = text.lines().filter(|line| line.starts_with("adlib_http_requests_total{")).filter(of_route);
    lines.map(|line| Ok(value(line)? as u64)).sum()
}

async fn metric(origin: &Client, name: &str) -> anyhow::Result<f64> {
    let text = text(origin).await?;
    let line = text.lines().find(|line| line.starts_with(name));
    value(line.with_context(|| format!("no {name} in:\n{text}"))?)
}

async fn text(origin: &Client) -> anyhow::Result<String> {
    Ok(String::from_utf8(origin.get("/metrics").await?.body)?)
}

fn value(line: &str) -> anyhow::Result<f64> {
    Ok(line.rsplit(' ').next().context("an empty line")?.parse()?)
}

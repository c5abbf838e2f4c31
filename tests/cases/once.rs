//! Equal briefs at the same time, in many instances.

use std::time::{Duration, Instant};

use adlib_tests::{Answer, Client, Edge, EdgeOptions, EdgeProcess, Origin, RedisServer};
use anyhow::ensure;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::running;
use crate::support::{long, origin, run, with};

/// Edges before it, without a limit on rates.
fn before(origin: &Origin) -> EdgeOptions {
    EdgeOptions::default().with("origin_url", origin.url()).with("rate_per_minute", "0")
}

/// Edges of a few instances, before which requests wait.
fn crowded(origin: &Origin) -> EdgeOptions {
    let mut options = before(origin).with_instances(INSTANCES);
    options.limits.instance_wait_max = Duration::from_mins(1);
    options
}

/// Each answers 16 requests at once.
const INSTANCES: u32 = 4;

/// A brief that takes a few hundred milliseconds.
fn slow() -> Value {
    with(long(1), json!({"variants": 4}))
}

/// Sends the brief so often at once, and reads what each is answered.
async fn ask(clients: &[&Client], times: usize, brief: &Value) -> anyhow::Result<Vec<Answer>> {
    join_all((0..times).map(|index| clients[index % clients.len()].copy(brief))).await.into_iter().collect()
}

/// Sends the brief as one for a stream, and reads its first piece.
async fn begin_stream(client: &Client, brief: &Value) -> anyhow::Result<reqwest::Response> {
    let request =
        client.request(Method::POST, "/v1/copy").json(&with(brief.clone(), json!({"stream": true})));
    let mut response = request.send().await?;
    ensure!(response.chunk().await?.is_some(), "the stream has begun");
    Ok(response)
}

#[test]
fn five_hundred_equal_briefs_before_two_hosts_on_one_redis_reach_the_origin_once() -> anyhow::Result<()> {
    run(async {
        let (origin, redis) = (origin().await?, RedisServer::start().await?);
        let options = crowded(&origin).with("redis_url", redis.url());
        let (one, two) = (Edge::start(&options).await?, Edge::start(&options).await?);
        let answers = ask(&[&one.clients.client, &two.clients.client], 500, &slow()).await?;
        let id = answers[0].json()["id"].clone();
        for answer in &answers {
            ensure!(answer.status == 200 && answer.json()["id"] == id, "{answer:?}");
        }
        let asked = running::requests(&Client::new(origin.url()), "/v1/copy").await?;
        ensure!(asked == 1, "the origin was asked {asked} times");
        Ok(())
    })
}

#[test]
fn five_hundred_equal_briefs_on_the_key_value_store_reach_the_origin_once_for_each_instance()
-> anyhow::Result<()> {
    run(async {
        let origin = origin().await?;
        let edge = Edge::start(&crowded(&origin)).await?;
        let answers = ask(&[&edge.clients.client], 500, &slow()).await?;
        ensure!(answers.iter().all(|answer| answer.status == 200));
        // The store has no leases, so each instance leads its own flight; once one has landed, all find what it stored.
        let led = |answer: &&Answer| {
            let status = answer.header("cache-status");
            status.contains("fwd=") && !status.contains("collapsed")
        };
        let leaders = answers.iter().filter(led).count();
        ensure!((1..=INSTANCES as usize).contains(&leaders), "{leaders} leaders");
        let asked = running::requests(&Client::new(origin.url()), "/v1/copy").await?;
        ensure!(asked == leaders as u64, "{leaders} leaders, but the origin was asked {asked} times");
        Ok(())
    })
}

#[test]
fn a_leader_whose_host_dies_holds_the_others_up_for_its_lease_at_most() -> anyhow::Result<()> {
    run(async {
        let (origin, redis) = (origin().await?, RedisServer::start().await?);
        let options = before(&origin).with("redis_url", redis.url());
        let mut dying = EdgeProcess::start(&options).await?;
        let edge = Edge::start(&options).await?;
        let leading = begin_stream(&dying.clients.client, &long(1)).await?;
        let begun = Instant::now();
        let brief = long(1);
        let asking = [&edge.clients.client];
        let followers = ask(&asking, 20, &brief);
        let (killed, answers) = tokio::join!(dying.kill(), followers);
        killed?;
        drop(leading);
        let answers = answers?;
        ensure!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        let took = begun.elapsed();
        ensure!(took < Duration::from_secs(15), "the lease lasts 10 s, but it took {took:?}");
        let asked = running::requests(&Client::new(origin.url()), "/v1/copy").await?;
        ensure!(asked == 2, "the leader and one follower, not {asked}");
        Ok(())
    })
}

#[test]
fn a_leader_whose_client_leaves_gives_its_lease_back_at_once() -> anyhow::Result<()> {
    run(async {
        let (origin, redis) = (origin().await?, RedisServer::start().await?);
        let options = before(&origin).with("redis_url", redis.url());
        let (one, two) = (Edge::start(&options).await?, Edge::start(&options).await?);
        let brief = long(1);
        let leading = begin_stream(&one.clients.client, &brief).await?;
        let leases = async || redis.command(&["KEYS", "{adlib}:lease/*"]).await;
        ensure!(leases().await?.starts_with("*1"), "the leader holds one");
        let begun = Instant::now();
        drop(leading);
        while leases().await? != "*0" {
            ensure!(begun.elapsed() < Duration::from_secs(3), "the lease is still held");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let answers = ask(&[&two.clients.client], 20, &brief).await?;
        ensure!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        Ok(())
    })
}

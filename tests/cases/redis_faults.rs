//! A bad day between edge and Redis: what the store no longer tells costs exactness and most misses, not the service.

use std::time::{Duration, Instant};

use adlib_tests::{Answer, Edge, EdgeOptions, Fault, FaultProxy, Origin, RedisServer};
use anyhow::{Context, ensure};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{brief, long, origin, run, with};

/// An origin, a Redis server with a proxy before it, and an edge of one instance.
struct Line {
    _origin: Origin,
    redis: RedisServer,
    proxy: FaultProxy,
    options: EdgeOptions,
    edge: Edge,
}

/// The longest wait for the store: `ANSWER_TIME_MAX` of the edge.
const STORE_WAIT: Duration = Duration::from_millis(250);
/// What the rest may take on a busy machine. That a request waits once is shown to the millisecond where time is simulated.
const REST: Duration = Duration::from_millis(750);
/// How long a server that does not answer is left alone, and a little more: `PAUSE` of the edge.
const RECOVERY_MAX: Duration = Duration::from_secs(8);

impl Line {
    async fn start(rate_per_minute: u32) -> anyhow::Result<Self> {
        let (origin, redis) = (origin().await?, RedisServer::start().await?);
        let proxy = FaultProxy::start(redis.address()).await?;
        let options = EdgeOptions::default()
            .with_instances(1)
            .with("origin_url", origin.url())
            .with("redis_url", format!("redis://{}", proxy.address()))
            .with("rate_per_minute", rate_per_minute.to_string());
        let edge = Edge::start(&options).await?;
        Ok(Self { _origin: origin, redis, proxy, options, edge })
    }

    async fn copy(&self, brief: &Value) -> anyhow::Result<Answer> {
        self.edge.clients.client.copy(brief).await
    }

    /// Asks until the cache answers, as it does again without a restart of the edge.
    async fn recovers(&self, brief: &Value) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let answer = self.copy(brief).await?;
            if answer.status == 200 && answer.header("cache-status").contains("hit") {
                return Ok(());
            }
            ensure!(begun.elapsed() < RECOVERY_MAX, "it does not recover: {answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Whether a request was answered, or shed in the way that the contract has for it.
fn is_orderly(answer: &Answer) -> bool {
    answer.status == 200
        || (answer.status, answer.code().as_str()) == (503, "overloaded")
            && !answer.header("retry-after").is_empty()
}

/// The milliseconds that a stage took, as the reply says itself.
fn spent(answer: &Answer, stage: &str) -> anyhow::Result<f64> {
    let stages = answer.header("server-timing").split(", ");
    let time = stages.filter_map(|stage| stage.split_once(";dur=")).find(|(name, _)| *name == stage);
    Ok(time.with_context(|| format!("no {stage} in {answer:?}"))?.1.parse()?)
}

#[test]
fn no_fault_holds_a_request_up_for_longer_than_the_store_may_take() -> anyhow::Result<()> {
    run(async {
        let line = Line::start(0).await?;
        for (number, fault) in (1..).zip([
            Fault::Latency(Duration::from_millis(400)),
            Fault::Reset,
            Fault::ResetAfter(0),
            Fault::ResetAfter(3),
            Fault::TruncateAfter(0),
            Fault::TruncateAfter(3),
            Fault::HalfCloseAfter(3),
            Fault::Drip { bytes: 1, pause: Duration::from_millis(20) },
            Fault::Silence,
        ]) {
            line.proxy.set(fault);
            // The first of them knows nothing yet, not even the model.
            let edge = Edge::start(&line.options).await?;
            for seed in 0..4 {
                let brief = with(brief(number), json!({"seed": seed}));
                let answer = edge.clients.client.copy(&brief).await?;
                ensure!(answer.status == 200, "{fault:?}: {answer:?}");
                let spent = spent(&answer, "edge")? - spent(&answer, "origin")?;
                let most = (STORE_WAIT + REST).as_secs_f64() * 1000.0;
                ensure!(spent < most, "{fault:?}: request {seed} took {spent} ms beside the origin's time");
            }
        }
        line.proxy.set(Fault::None);
        ensure!(line.copy(&brief(0)).await?.status == 200);
        line.recovers(&brief(0)).await
    })
}

#[test]
fn without_the_store_a_part_of_the_rate_passes_and_most_misses_are_shed() -> anyhow::Result<()> {
    run(async {
        let mut line = Line::start(80).await?;
        let operator = line.edge.clients.operator.clone();
        ensure!(operator.get("/admin/blocks").await?.status == 200);
        ensure!(line.copy(&brief(1)).await?.status == 200);
        line.redis.stop().await?;

        // Two go to the origin at once, and the others are told to come back.
        let briefs: Vec<Value> = (2..8).map(long).collect();
        let answers = join_all(briefs.iter().map(|brief| line.edge.clients.other.copy(brief))).await;
        let answers = answers.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(answers.iter().all(is_orderly), "{answers:?}");
        ensure!(answers.iter().filter(|answer| answer.status == 200).count() == 2, "{answers:?}");

        // An eighth of 80 a minute passes, and no more.
        let mut statuses = Vec::new();
        for _ in 0..12 {
            statuses.push(line.copy(&brief(1)).await?.status);
        }
        ensure!(statuses == [[200; 10].as_slice(), &[429; 2]].concat(), "{statuses:?}");

        for path in ["/admin/blocks", "/v1/stats"] {
            let refused = operator.get(path).await?;
            ensure!((refused.status, refused.code().as_str()) == (503, "overloaded"), "{path}: {refused:?}");
        }
        let refused = operator.post("/admin/cache/purge", &json!({"all": true})).await?;
        ensure!((refused.status, refused.code().as_str()) == (503, "overloaded"), "{refused:?}");

        line.redis.start_again().await?;
        line.recovers(&brief(1)).await?;
        ensure!(operator.get("/admin/blocks").await?.status == 200);
        Ok(())
    })
}

#[test]
fn a_store_that_restarts_under_load_fails_nobody() -> anyhow::Result<()> {
    run(async {
        let mut line = Line::start(0).await?;
        ensure!(line.copy(&brief(1)).await?.status == 200);
        let client = line.edge.clients.client.clone();
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let asking: Vec<_> = (0..2)
            .map(|_| {
                let (client, stopped) = (client.clone(), stopped.clone());
                tokio::spawn(async move {
                    let mut answers = 0;
                    while !*stopped.borrow() {
                        let answer = client.copy(&brief(1)).await?;
                        ensure!(is_orderly(&answer), "{answer:?}");
                        answers += 1;
                    }
                    anyhow::Ok(answers)
                })
            })
            .collect();
        for _ in 0..2 {
            line.redis.stop().await?;
            tokio::time::sleep(Duration::from_millis(300)).await;
            line.redis.start_again().await?;
            line.recovers(&brief(1)).await?;
        }
        stop.send_replace(true);
        for asked in asking {
            ensure!(asked.await?? > 10, "there was hardly any load");
        }
        Ok(())
    })
}

#[test]
fn a_store_that_was_flushed_revives_nothing_that_was_purged() -> anyhow::Result<()> {
    run(async {
        let line = Line::start(0).await?;
        let operator = &line.edge.clients.operator;
        let purged = line.copy(&brief(1)).await?.json();
        ensure!(operator.post("/admin/cache/purge", &json!({"all": true})).await?.status == 200);
        // Entries that outlive the epochs under which they were void.
        line.redis.command(&["EVAL", FORGET_EPOCHS, "0"]).await?;
        let after = line.copy(&brief(1)).await?;
        ensure!(after.status == 200 && after.json()["id"] != purged["id"], "{after:?}");
        // A script that the server has forgotten is sent again with its text.
        line.redis.command(&["FLUSHALL"]).await?;
        line.redis.command(&["SCRIPT", "FLUSH"]).await?;
        let miss = line.copy(&brief(1)).await?;
        ensure!(miss.header("cache-status") == "adlib; fwd=uri-miss; stored", "{miss:?}");
        ensure!(line.copy(&brief(1)).await?.header("cache-status").contains("hit"));
        Ok(())
    })
}

/// Drops what says which entries count.
const FORGET_EPOCHS: &str =
    "for _, key in ipairs(redis.call('KEYS', '{adlib}:epoch/*')) do redis.call('DEL', key) end return 1";

//! A purge while copy is being written.

use std::time::Duration;

use adlib_tests::{Client, Edge, EdgeOptions, Origin, RedisServer};
use anyhow::ensure;
use serde_json::json;

use crate::running;
use crate::support::{long, origin, run, with};

/// Fills through one edge while the other one purges.
async fn purge_during_a_fill(
    asking: &Edge,
    purging: &Edge,
    origin: &Origin,
    seed: u64,
) -> anyhow::Result<()> {
    let brief = with(long(1), json!({"seed": seed}));
    let purges = [json!({"tenant": "acme"}), json!({"channel": "product_description"}), json!({"all": true})];
    for (variants, purge) in (7..).zip(purges) {
        let brief = with(brief.clone(), json!({"variants": variants}));
        let client = asking.clients.client.clone();
        let asked = brief.clone();
        let filling = tokio::spawn(async move { client.copy(&asked).await });
        running::until(&Client::new(origin.url()), PATIENCE, |running| running > 0.0).await?;
        let purged = purging.clients.operator.post("/admin/cache/purge", &purge).await?;
        ensure!(purged.status == 200 && !filling.is_finished(), "{purged:?}");
        let filled = filling.await??;
        ensure!(filled.status == 200, "{filled:?}");
        let path = format!("/v1/copies/{}", filled.json()["id"].as_str().unwrap_or_default());
        for edge in [asking, purging] {
            let found = edge.clients.client.get(&path).await?;
            ensure!(found.status == 404, "{purge}: {found:?}");
        }
        let after = purging.clients.client.copy(&brief).await?;
        ensure!(after.status == 200 && after.json()["id"] != filled.json()["id"], "{purge}: {after:?}");
    }
    Ok(())
}

/// Longest wait for a brief to reach the origin.
const PATIENCE: Duration = Duration::from_secs(5);

#[test]
fn what_was_asked_for_before_a_purge_is_not_served_after_it() -> anyhow::Result<()> {
    run(async {
        let (origin, redis) = (origin().await?, RedisServer::start().await?);
        let options = EdgeOptions::default().with("origin_url", origin.url());
        let on_redis = options.clone().with("redis_url", redis.url());
        let (one, two) = (Edge::start(&on_redis).await?, Edge::start(&on_redis).await?);
        purge_during_a_fill(&one, &two, &origin, 1).await?;
        // Over the key-value store, the instance that purges knows at once; others know a second later at most.
        let alone = Edge::start(&options.with_instances(1)).await?;
        purge_during_a_fill(&alone, &alone, &origin, 2).await
    })
}

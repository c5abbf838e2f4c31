//! `GET /v1/stats`: what was counted for the caller's tenant. `GET /metrics`: the same for everyone, for Prometheus.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;

use super::catalog::json;
use crate::authenticate::{Caller, Scope};
use crate::edge::Edge;
use crate::failure::Failure;
use crate::hop::NO_TENANT;
use crate::reply::Reply;
use crate::stats::series::{self, BUCKETS_US};
use crate::world::World;

/// The media type of Prometheus' text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a tenant reads about itself.
#[derive(Debug, Serialize)]
struct Stats {
    requests: u64,
    by_status: BTreeMap<String, u64>,
    by_route: BTreeMap<String, u64>,
    cache: BTreeMap<String, u64>,
    limited: u64,
    blocked: u64,
    origin_errors: BTreeMap<String, u64>,
    origin_attempts: u64,
    hedges: u64,
    clients_gone: u64,
    duration_ms: BTreeMap<String, Durations>,
}

/// How long copies took. Percentiles are the bounds of the buckets in which they lie; null beyond the last.
#[derive(Debug, Serialize)]
struct Durations {
    count: u64,
    mean: f64,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
}

/// The counts of the caller's tenant.
///
/// # Errors
/// The store's.
pub async fn stats<W: World>(edge: &Rc<Edge<W>>, caller: &Caller) -> Result<Reply, Failure> {
    let counts = edge.stats.of(edge, &caller.tenant).await?;
    let durations = |(outcome, sum_us): (String, u64)| {
        let durations = Durations::of(counts.buckets("outcome", &outcome), sum_us);
        (outcome, durations)
    };
    json(&Stats {
        requests: counts.total(series::REQUESTS),
        by_status: counts.by_label(series::REQUESTS, "status"),
        by_route: counts.by_label(series::REQUESTS, "route"),
        cache: counts.by_label(series::CACHE, "outcome"),
        limited: counts.total(series::LIMITED),
        blocked: counts.total(series::BLOCKED),
        origin_errors: counts.by_label(series::ORIGIN_ERRORS, "code"),
        origin_attempts: counts.total(series::ORIGIN_ATTEMPTS),
        hedges: counts.total(series::HEDGES),
        clients_gone: counts.total(series::CLIENTS_GONE),
        duration_ms: counts.by_label(series::SUM, "outcome").into_iter().map(durations).collect(),
    })
}

/// The counts of everyone.
///
/// # Errors
/// `forbidden` without the scope `admin`, because it tells of all tenants; the store's.
pub async fn metrics<W: World>(edge: &Rc<Edge<W>>, caller: &Caller) -> Result<Reply, Failure> {
    caller.require(Scope::Admin)?;
    let counts = edge.stats.of(edge, NO_TENANT).await?;
    Ok(Reply::new(http::StatusCode::OK, PROMETHEUS, counts.to_prometheus()))
}

impl Durations {
    fn of(buckets: [u64; BUCKETS_US.len()], sum_us: u64) -> Self {
        let count = buckets[BUCKETS_US.len() - 1];
        let percentile = |percent: u64| {
            let rank = (count * percent).div_ceil(100).max(1);
            let at = buckets[..BUCKETS_US.len() - 1].iter().position(|below| *below >= rank)?;
            Some(BUCKETS_US[at].0 as f64 / 1e3)
        };
        let mean = sum_us as f64 / count.max(1) as f64 / 1e3;
        Self { count, mean, p50: percentile(50), p95: percentile(95), p99: percentile(99) }
    }
}

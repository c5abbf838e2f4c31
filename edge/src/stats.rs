//! What is counted: requests, how the cache took part, what was refused, what the origins did, and how long it took.
//!
//! An instance counts in memory and tells the store after the reply, for all tenants together and for the request's
//! tenant. Instances come and go within seconds, so what they count lasts only there.

pub mod counts;
pub mod series;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use adlib_shared::problem::Code;

pub use self::counts::Counts;
use crate::edge::Edge;
use crate::hop::NO_TENANT;
use crate::log;
use crate::record::Line;
use crate::world::{StoreError, World};

/// How long counts and lines of the log wait for others before they are told. An instance that is done stays so long.
pub const FLUSH_AFTER: Duration = Duration::from_millis(50);
/// Tenants that are counted apart until the store has been told; what others ask meanwhile counts for all together only.
pub const TENANTS_MAX: usize = 64;
/// In whose name all tenants are counted together.
pub const EVERYONE: &str = NO_TENANT;

/// What this instance has counted and not yet told.
#[derive(Debug, Default)]
pub struct Stats {
    untold: RefCell<BTreeMap<String, Counts>>,
    is_flush_due: Cell<bool>,
}

impl Stats {
    /// Counts a request that has ended.
    pub fn count(&self, line: &Line, took: Duration) {
        let counts = counts_of(line, took);
        let mut untold = self.untold.borrow_mut();
        if let Some(tenant) = &line.tenant
            && (untold.contains_key(tenant) || untold.len() <= TENANTS_MAX)
        {
            untold.entry(tenant.clone()).or_default().add(&counts);
        }
        untold.entry(EVERYONE.to_owned()).or_default().add(&counts);
    }

    /// What is known of a tenant, or of everyone: what the store holds and what it has not been told.
    ///
    /// # Errors
    /// The store's.
    pub async fn of<W: World>(&self, edge: &Edge<W>, tenant: &str) -> Result<Counts, StoreError> {
        let mut counts = edge.store.counts(&name(tenant)).await?;
        counts.add(self.untold.borrow().get(tenant).unwrap_or(&Counts::default()));
        Ok(counts)
    }

    /// Tells the log and the store in a moment, unless that is under way.
    pub fn tell_later<W: World>(edge: &Rc<Edge<W>>) {
        if edge.stats.is_flush_due.replace(true) {
            return;
        }
        let teller = Rc::clone(edge);
        edge.world.later(async move {
            teller.world.sleep(FLUSH_AFTER).await;
            teller.stats.is_flush_due.set(false);
            log::flush();
            if teller.settings().is_ok_and(|settings| settings.stats) {
                teller.stats.tell(&teller).await;
            }
        });
    }

    async fn tell<W: World>(&self, edge: &Edge<W>) {
        let untold = self.untold.take();
        for (tenant, counts) in untold {
            if let Err(error) = edge.store.count(&name(&tenant), &counts).await {
                log::trouble(format_args!("what was counted is told later: {error}"));
                self.untold.borrow_mut().entry(tenant).or_default().add(&counts);
            }
        }
    }
}

/// The name under which the store keeps a tenant's counts.
fn name(tenant: &str) -> String {
    format!("stats/{tenant}")
}

/// What one request adds.
fn counts_of(line: &Line, took: Duration) -> Counts {
    let mut counts = Counts::default();
    let status = line.status.to_string();
    counts.count(series::REQUESTS, &[("route", line.route), ("status", &status)], 1);
    if let Some(outcome) = line.cache.as_deref().map(cache_outcome) {
        counts.count(series::CACHE, &[("outcome", outcome)], 1);
        if line.status == 200 {
            counts.time(&[("outcome", outcome)], took);
        }
    }
    match line.code {
        Some(Code::RateLimited) => counts.count(series::LIMITED, &[], 1),
        Some(Code::Blocked) => counts.count(series::BLOCKED, &[], 1),
        Some(
            code @ (Code::OriginFailed | Code::OriginUnavailable | Code::DeadlineExceeded | Code::Overloaded),
        ) => counts.count(series::ORIGIN_ERRORS, &[("code", code.as_str())], 1),
        _ => {}
    }
    if line.attempts > 0 {
        counts.count(series::ORIGIN_ATTEMPTS, &[], line.attempts.into());
    }
    if line.hedged {
        counts.count(series::HEDGES, &[], 1);
    }
    if !line.complete {
        counts.count(series::CLIENTS_GONE, &[], 1);
    }
    counts
}

/// The part that the cache took, from the reply's `Cache-Status`.
fn cache_outcome(status: &str) -> &'static str {
    let is_hit = status.split(';').any(|part| part.trim() == "hit");
    let is_stale = status.contains("; detail=stale") || is_hit && status.contains("ttl=-");
    if is_stale {
        "stale"
    } else if status.contains("; collapsed") {
        "coalesced"
    } else if is_hit {
        "hit"
    } else if status.contains("fwd=bypass") {
        "bypass"
    } else {
        "miss"
    }
}

#[cfg(test)]
mod tests;

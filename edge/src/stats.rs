//! What is counted: requests, how the cache took part, what was refused, what the origins did, and how long it took.
//!
//! An instance counts in memory, by tenant, and tells the store after the reply. Instances come and go within seconds, so
//! what they count lasts only there.

pub mod counts;
pub mod series;
pub mod tally;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use adlib_shared::problem::Code;

pub use self::counts::Counts;
use self::tally::{Series, Tally};
use crate::edge::Edge;
use crate::hop::NO_TENANT;
use crate::log;
use crate::record::Line;
use crate::world::{StoreError, World};

/// How long counts and lines of the log wait for others before they are told. An instance that is done stays so long.
pub const FLUSH_AFTER: Duration = Duration::from_millis(50);
/// Tenants that are counted apart until the store has been told; what others ask meanwhile counts for everyone only.
pub const TENANTS_MAX: usize = 64;

/// What this instance has counted and not yet told.
#[derive(Debug, Default)]
pub struct Stats {
    /// By tenant; what counts for none of them under [`NO_TENANT`].
    untold: RefCell<BTreeMap<String, Tally>>,
    is_flush_due: Cell<bool>,
}

impl Stats {
    /// Counts a request that has ended.
    pub fn count(&self, line: &Line, took: Duration) {
        let mut untold = self.untold.borrow_mut();
        let tenant = line.tenant.as_deref().unwrap_or(NO_TENANT);
        if let Some(tally) = untold.get_mut(tenant) {
            return add(tally, line, took);
        }
        let counted = untold.keys().filter(|known| *known != NO_TENANT).count();
        let tenant = if counted < TENANTS_MAX { tenant } else { NO_TENANT };
        add(untold.entry(tenant.to_owned()).or_default(), line, took);
    }

    /// What is known of a tenant, or of everyone under [`NO_TENANT`]: what the store holds and what it has not been told.
    ///
    /// # Errors
    /// The store's.
    pub async fn of<W: World>(&self, edge: &Edge<W>, tenant: &str) -> Result<Counts, StoreError> {
        let mut counts = edge.store.counts(tenant).await?;
        let untold = self.untold.borrow();
        for (_, tally) in untold.iter().filter(|(known, _)| tenant == NO_TENANT || *known == tenant) {
            counts.add(&tally.to_counts());
        }
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
        for (tenant, tally) in untold {
            if let Err(error) = edge.store.count(&tenant, &tally.to_counts()).await {
                log::trouble(format_args!("what was counted is told later: {error}"));
                self.untold.borrow_mut().entry(tenant).or_default().add(&tally);
            }
        }
    }
}

/// Adds what one request counts.
fn add(tally: &mut Tally, line: &Line, took: Duration) {
    tally.count(Series::Requests { route: line.route, status: line.status }, 1);
    if let Some(part) = line.cache.map(|status| status.part()) {
        tally.count(Series::Cache(part), 1);
        if line.status == 200 {
            tally.time(part, took);
        }
    }
    match line.code {
        Some(Code::RateLimited) => tally.count(Series::Limited, 1),
        Some(Code::Blocked) => tally.count(Series::Blocked, 1),
        Some(
            code @ (Code::OriginFailed | Code::OriginUnavailable | Code::DeadlineExceeded | Code::Overloaded),
        ) => tally.count(Series::OriginErrors(code), 1),
        _ => {}
    }
    if line.attempts > 0 {
        tally.count(Series::OriginAttempts, line.attempts.into());
    }
    if line.hedged {
        tally.count(Series::Hedges, 1);
    }
    if !line.complete {
        tally.count(Series::ClientsGone, 1);
    }
}

#[cfg(test)]
mod tests;

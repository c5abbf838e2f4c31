//! Who may go on: nobody who is blocked, and nobody whose rate is used up.
//!
//! A request is counted once, in one visit to the store that also looks its entry up; so a brief is read and its key
//! made before. What fails on the way there is counted when it has failed.

use adlib_shared::problem::Code;
use adlib_shared::rate::{Decision, Gcra};

use crate::authenticate::Caller;
use crate::block::{Block, Subject};
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::limit::{self, Limit, Meter, PERIOD_MS};
use crate::log;
use crate::settings::Settings;
use crate::store::{Visit, Visited};
use crate::world::World;

/// What a request looks up while it is counted.
#[derive(Debug, Default)]
pub struct Look<'a> {
    /// The key of an entry.
    pub entry: Option<&'a [u8; 32]>,
    /// The tags whose epochs are needed.
    pub tags: &'a [String],
}

/// Counts a request of a key, and looks up what it needs.
///
/// # Errors
/// `blocked` or `rate_limited`; the store's failure.
pub async fn admit<W: World>(
    edge: &Edge<W>,
    call: &mut Call,
    caller: &Caller,
    look: Look<'_>,
) -> Result<Visited, Failure> {
    call.is_counted = true;
    let settings = edge.settings()?;
    let subjects = [Subject::Address(call.address), Subject::Key(caller.key)];
    let limits = limits_of(settings, caller);
    let visited = visit(edge, call, &subjects, &limits, look).await?;
    if let (Some(limit), Some(decision)) = (limits.first(), visited.decisions.first()) {
        limit::mark(&mut call.notes, limit.gcra, decision);
    }
    refuse(&subjects, &limits, &visited, call.now_ms)?;
    Ok(visited)
}

/// Counts a request of nobody who is known.
///
/// # Errors
/// `blocked`, or `rate_limited` for an address with too many failures; the store's failure.
pub async fn admit_stranger<W: World>(edge: &Edge<W>, call: &mut Call) -> Result<(), Failure> {
    call.is_counted = true;
    let subjects = [Subject::Address(call.address)];
    let rate = edge.settings()?.failures_per_minute;
    let limits: Vec<Limit> =
        rate.map(|rate| per_minute(Meter::Failures(call.address), rate)).into_iter().collect();
    let visited = visit(edge, call, &subjects, &limits, Look::default()).await?;
    refuse(&subjects, &limits, &visited, call.now_ms)
}

async fn visit<W: World>(
    edge: &Edge<W>,
    call: &Call,
    subjects: &[Subject],
    limits: &[Limit],
    look: Look<'_>,
) -> Result<Visited, Failure> {
    let visit = Visit {
        id: &call.id,
        now_ms: call.now_ms,
        subjects,
        limits,
        entry: look.entry,
        tags: look.tags,
        fresh_epoch: if look.tags.is_empty() { 0 } else { edge.world.entropy() },
    };
    Ok(edge.store.visit(visit).await.unwrap_or_else(|error| {
        log::warn(&call.id, error);
        Visited::default()
    }))
}

/// The limits of a key. Its own rate goes before the variable's.
fn limits_of(settings: &Settings, caller: &Caller) -> Vec<Limit> {
    let rate = match caller.rate_per_minute {
        Some(rate) => Some(rate).filter(|rate| *rate > 0),
        None => settings.rate_per_minute,
    };
    rate.map(|rate| per_minute(Meter::Key(caller.key), rate)).into_iter().collect()
}

fn per_minute(meter: Meter, rate: u32) -> Limit {
    Limit { meter, gcra: Gcra::new(PERIOD_MS, rate), cost: 1 }
}

fn refuse(subjects: &[Subject], limits: &[Limit], visited: &Visited, now_ms: u64) -> Result<(), Failure> {
    if let Some((index, block)) = visited.blocked {
        return Err(blocked(subjects.get(index), block, now_ms));
    }
    let refused = limits.iter().zip(&visited.decisions).find(|(_, decision)| !decision.allowed);
    refused.map_or(Ok(()), |(limit, decision)| Err(limited(limit, decision)))
}

fn blocked(subject: Option<&Subject>, block: Block, now_ms: u64) -> Failure {
    let who = match subject {
        Some(Subject::Key(_)) => "the key",
        _ => "the address",
    };
    wait(Code::Blocked, format!("{who} is blocked for a while"), block.until_ms.saturating_sub(now_ms))
}

fn limited(limit: &Limit, decision: &Decision) -> Failure {
    let rate = limit.gcra.burst();
    let detail = match limit.meter {
        Meter::Key(_) => format!("the key is limited to {rate} requests a minute"),
        Meter::Failures(_) => {
            format!("more than {rate} requests a minute without a valid key came from this address")
        }
        Meter::Strikes(_) => "too much went wrong".to_owned(),
    };
    wait(Code::RateLimited, detail, decision.retry_after_ms)
}

fn wait(code: Code, detail: String, retry_after_ms: u64) -> Failure {
    let mut failure = Failure::new(code, detail);
    failure.problem.retry_after_s = u32::try_from(retry_after_ms.div_ceil(1000)).ok();
    failure
}

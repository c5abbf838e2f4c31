//! Who may go on: nobody who is blocked, and nobody whose rate is used up.
//!
//! A request is counted once, in one visit to the store that also looks its entry up; so a brief is read and its key
//! made before. What fails on the way there is counted when it has failed.

use std::rc::Rc;

use adlib_shared::problem::Code;
use adlib_shared::rate::{Decision, Gcra};

use crate::authenticate::Caller;
use crate::block::{Block, Subject};
use crate::call::Call;
use crate::client_address::ClientAddress;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::limit::{Limit, Meter, PERIOD_MS};
use crate::log;
use crate::settings::Settings;
use crate::store::{Lease, Visit, Visited};
use crate::world::World;

/// What a request looks up while it is counted.
#[derive(Debug, Default)]
pub struct Look<'a> {
    /// The key of an entry.
    pub entry: Option<&'a [u8; 32]>,
    /// The lease that is taken where it is not there.
    pub lease: Option<&'a Lease>,
    /// The tags whose epochs are needed.
    pub tags: &'a [String],
    /// As how many requests it counts, beyond the one that it is.
    pub further: u32,
}

/// Within so long a subject may do so much wrong as `strikes_max` says, in milliseconds: ten minutes.
pub const STRIKES_PERIOD_MS: u64 = 10 * PERIOD_MS;

/// Counts a request of a key, and looks up what it needs.
///
/// # Errors
/// `blocked` or `rate_limited`.
pub async fn admit<W: World>(
    edge: &Edge<W>,
    call: &mut Call,
    caller: &Caller,
    look: Look<'_>,
) -> Result<Visited, Failure> {
    let settings = edge.settings()?;
    let is_allowed = settings.limits.allowed_networks.contain(call.address);
    let mut subjects = vec![Subject::Key(caller.key)];
    if !is_allowed {
        subjects.push(Subject::Address(call.address));
    }
    let address = (!is_allowed).then_some(call.address);
    let limits = limits_of(settings, caller, address, 1 + look.further);
    let visited = visit(edge, call, &subjects, &limits, look).await;
    let outcome = refuse(&subjects, &limits, &visited, call.now_ms);
    for (limit, decision) in limits.into_iter().zip(&visited.decisions) {
        call.judge(limit, *decision);
    }
    outcome.map(|()| visited)
}

/// Counts a request of nobody who is known.
///
/// # Errors
/// `blocked`, or `rate_limited` for an address with too many failures.
pub async fn admit_stranger<W: World>(edge: &Edge<W>, call: &mut Call) -> Result<(), Failure> {
    let limits = &edge.settings()?.limits;
    if limits.allowed_networks.contain(call.address) {
        return Ok(());
    }
    let subjects = [Subject::Address(call.address)];
    let rate = limits.failures_per_minute;
    let limits: Vec<Limit> =
        rate.map(|rate| per_minute(Meter::Failures(call.address), rate, 1)).into_iter().collect();
    let visited = visit(edge, call, &subjects, &limits, Look::default()).await;
    refuse(&subjects, &limits, &visited, call.now_ms)
}

/// Counts what somebody did wrong, if that is what made a request fail. It is done after the reply.
pub fn strike<W: World>(edge: &Rc<Edge<W>>, call: &Call, subject: Subject, failure: &Failure) {
    let wrong = [Code::Unauthorized, Code::MalformedJson, Code::TooLarge, Code::RateLimited];
    let Ok(Settings { limits, .. }) = edge.settings() else { return };
    let Some(strikes_max) = limits.strikes_max.filter(|_| wrong.contains(&failure.problem.code)) else {
        return;
    };
    let is_allowed = matches!(subject, Subject::Address(address) if limits.allowed_networks.contain(address));
    if is_allowed || call.is_sheltered {
        return;
    }
    let gcra = Gcra::new(STRIKES_PERIOD_MS, strikes_max);
    let (striker, id, now_ms) = (Rc::clone(edge), call.id.clone(), call.now_ms);
    edge.world.later(async move {
        match striker.store.strike(subject, gcra, now_ms).await {
            Ok(Some(_)) => log::warn(&id, "too much went wrong: the caller is blocked"),
            Ok(None) => {}
            Err(error) => log::warn(&id, error),
        }
    });
}

/// Asks the store. Where it does not answer, the instance goes by a count of its own.
async fn visit<W: World>(
    edge: &Edge<W>,
    call: &mut Call,
    subjects: &[Subject],
    limits: &[Limit],
    look: Look<'_>,
) -> Visited {
    call.is_counted = true;
    let visit = Visit {
        id: &call.id,
        now_ms: call.now_ms,
        subjects,
        limits,
        entry: look.entry,
        lease: look.lease,
        tags: look.tags,
        fresh_epoch: if look.tags.is_empty() { 0 } else { edge.world.entropy() },
    };
    match edge.store.visit(visit).await {
        Ok(visited) => visited,
        Err(error) => {
            log::warn(&call.id, error);
            call.is_sheltered = true;
            Visited { decisions: edge.shelter.judge(limits, call.now_ms), ..Visited::default() }
        }
    }
}

/// The limits of a key, its tenant and its address for so many requests. What is left of the key's tokens is only found
/// out: they are taken by those who go to the origin.
fn limits_of(
    settings: &Settings,
    caller: &Caller,
    address: Option<ClientAddress>,
    requests: u32,
) -> Vec<Limit> {
    let rates = &settings.limits;
    let of_key = rates.rate_of(&caller.limits).map(|rate| per_minute(Meter::Key(caller.key), rate, requests));
    let tenant = || Meter::Tenant(caller.tenant.clone());
    let of_tenant = rates.tenant_rate_per_minute.map(|rate| per_minute(tenant(), rate, requests));
    let of_address = address
        .zip(rates.address_rate_per_minute)
        .map(|(address, rate)| per_minute(Meter::Address(address), rate, requests));
    let tokens = token_limit(settings, caller, 0);
    [of_key, of_tenant, of_address, tokens].into_iter().flatten().collect()
}

/// The limit of a key's tokens, of which so many are taken.
pub fn token_limit(settings: &Settings, caller: &Caller, cost: u32) -> Option<Limit> {
    let rate = settings.limits.tokens_of(&caller.limits)?;
    Some(per_minute(Meter::Tokens(caller.key), rate, cost))
}

fn per_minute(meter: Meter, rate: u32, cost: u32) -> Limit {
    Limit { meter, gcra: Gcra::new(PERIOD_MS, rate), cost }
}

fn refuse(subjects: &[Subject], limits: &[Limit], visited: &Visited, now_ms: u64) -> Result<(), Failure> {
    if let Some((index, block)) = visited.blocked {
        return Err(blocked(subjects.get(index), block, now_ms));
    }
    let refused = limits.iter().zip(&visited.decisions).find(|(_, decision)| !decision.allowed);
    refused.map_or(Ok(()), |(limit, decision)| Err(refusal(limit, decision)))
}

fn blocked(subject: Option<&Subject>, block: Block, now_ms: u64) -> Failure {
    let who = match subject {
        Some(Subject::Key(_)) => "the key",
        _ => "the address",
    };
    wait(Code::Blocked, format!("{who} is blocked for a while"), block.until_ms.saturating_sub(now_ms))
}

/// What a limit says that is used up.
pub fn refusal(limit: &Limit, decision: &Decision) -> Failure {
    let rate = limit.gcra.burst();
    let detail = match limit.meter {
        Meter::Key(_) => format!("the key is limited to {rate} requests a minute"),
        Meter::Failures(_) => {
            format!("more than {rate} requests a minute without a valid key came from this address")
        }
        Meter::Tenant(_) => format!("the tenant is limited to {rate} requests a minute"),
        Meter::Address(_) => format!("the address is limited to {rate} requests a minute"),
        Meter::Tokens(_) => format!("the key is limited to {rate} tokens a minute"),
        Meter::Strikes(_) => format!("{rate} requests went wrong"),
    };
    wait(Code::RateLimited, detail, decision.retry_after_ms)
}

fn wait(code: Code, detail: String, retry_after_ms: u64) -> Failure {
    let mut failure = Failure::new(code, detail);
    failure.problem.retry_after_s = u32::try_from(retry_after_ms.div_ceil(1000)).ok();
    failure
}

#[cfg(test)]
mod tests;

//! Who may go on: the key is valid and its rate is not used up.

use std::rc::Rc;

use adlib_shared::problem::Code;
use adlib_shared::rate::{Decision, Gcra};
use twox_hash::XxHash3_64;

use crate::authenticate::{Caller, Denied, authenticate};
use crate::call::Call;
use crate::client_address::ClientAddress;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::limit::{self, PERIOD_MS, Taken};
use crate::log;
use crate::settings::Settings;
use crate::world::World;

/// In how many groups client addresses are counted, so that the store does not grow with the addresses that fail.
/// Two addresses of one group share the limit on failures.
pub const ADDRESS_GROUPS: u16 = 4096;

/// Finds out who asks and counts the request.
///
/// # Errors
/// `unauthorized`, or `rate_limited` for a key, or for an address with too many failures.
pub async fn admit<W: World>(edge: &Rc<Edge<W>>, call: &mut Call) -> Result<Caller, Failure> {
    let settings = edge.settings()?;
    match authenticate(call.headers(), &settings.keyring, &edge.world, call.now_s()).await {
        Ok(caller) => {
            count(edge, settings, call, &caller).await?;
            Ok(caller)
        }
        Err(denied @ (Denied::Store(_) | Denied::Record(_))) => Err(denied.into()),
        Err(denied) => {
            count_failure(edge, settings, call).await?;
            Err(denied.into())
        }
    }
}

/// Counts a request of a key. Its own rate goes before the variable's.
async fn count<W: World>(
    edge: &Rc<Edge<W>>,
    settings: &Settings,
    call: &mut Call,
    caller: &Caller,
) -> Result<(), Failure> {
    let rate = match caller.rate_per_minute {
        Some(rate) => Some(rate).filter(|rate| *rate > 0),
        None => settings.rate_per_minute,
    };
    let Some(rate) = rate else { return Ok(()) };
    let gcra = Gcra::new(PERIOD_MS, rate);
    let name = format!("rate/key/{}", caller.key.to_hex());
    let decision = judge(edge, call, &name, gcra).await;
    limit::mark(&mut call.notes, gcra, &decision);
    if decision.allowed {
        return Ok(());
    }
    Err(refused(format!("the key is limited to {rate} requests a minute"), decision.retry_after_ms))
}

/// Counts a failed authentication of an address.
async fn count_failure<W: World>(
    edge: &Rc<Edge<W>>,
    settings: &Settings,
    call: &Call,
) -> Result<(), Failure> {
    let Some(rate) = settings.failures_per_minute else { return Ok(()) };
    let name = format!("rate/address/{:03x}", group(call.address));
    let gcra = Gcra::new(PERIOD_MS, rate);
    let decision = judge(edge, call, &name, gcra).await;
    if decision.allowed {
        return Ok(());
    }
    let detail = format!("more than {rate} requests a minute without a valid key came from this address");
    Err(refused(detail, decision.retry_after_ms))
}

/// Judges a request. The store is told of it after the reply; but before it where less than an eighth of the limit is
/// left, so that another instance knows in time.
async fn judge<W: World>(edge: &Rc<Edge<W>>, call: &Call, name: &str, gcra: Gcra) -> Decision {
    let Taken { decision, untold, error } = edge.limiter.take(&edge.world, name, gcra, call.now_ms).await;
    if let Some(error) = error {
        log::warn(&call.id, error);
    }
    if let Some(untold) = untold {
        let (teller, id) = (Rc::clone(edge), call.id.clone());
        let tell = async move {
            if let Err(error) = untold.tell(&teller.world).await {
                log::warn(&id, error);
            }
        };
        if decision.remaining < gcra.burst().div_ceil(8) {
            tell.await;
        } else {
            edge.world.later(tell);
        }
    }
    decision
}

fn refused(detail: String, retry_after_ms: u64) -> Failure {
    let mut failure = Failure::new(Code::RateLimited, detail);
    failure.problem.retry_after_s = u32::try_from(retry_after_ms.div_ceil(1000)).ok();
    failure
}

fn group(address: ClientAddress) -> u16 {
    (XxHash3_64::oneshot(&address.octets()) % u64::from(ADDRESS_GROUPS)) as u16
}

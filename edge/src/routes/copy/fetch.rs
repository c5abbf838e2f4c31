//! What the cache lacks is fetched once for all who ask for it at the same time.

use std::rc::Rc;
use std::time::Duration;

use adlib_shared::deadline::DEADLINE;
use adlib_shared::problem::Code;

use super::forward::granted;
use super::place::Current;
use super::{Asked, forward, replay, serve};
use crate::cache::{CacheStatus, Directives, Entry, Forward, Forwarded, Found, Held};
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::flight::{Joined, Lead, Outcome, PAUSE_MAX, WAIT_MAX, Waited};
use crate::keep::Keep;
use crate::reply::Reply;
use crate::world::World;

/// How often a request may follow a leader that ends without an outcome, before it goes its own way.
const FOLLOWS_MAX: usize = 8;

/// Fetches an answer: as the leader of a flight, or with the leader of the one that there is. Those who ask for a fresh
/// answer, or for one that stays fresh longer than any does, go alone; so does who has waited too long and has nothing to
/// fall back on.
pub(super) async fn fetch<W: World>(
    edge: &Rc<Edge<W>>,
    call: &mut Call,
    asked: &Asked,
    current: &Current,
    reason: Forward,
    can_fall_back: bool,
    lead: Option<Lead>,
) -> Result<Reply, Failure> {
    if !asked.directives.accept(current.place.newborn()) {
        return forward::forward(edge, call, asked, Some(current.keep(call.now_s())), reason).await;
    }
    let patience = WAIT_MAX.min(granted(edge.settings()?.timeouts, call)?.total);
    let mut begun = lead.map(Joined::Lead);
    for _ in 0..FOLLOWS_MAX {
        let follow = match begun.take().unwrap_or_else(|| edge.flights.join(current.key())) {
            Joined::Follow(follow) => follow,
            Joined::Lead(lead) => return lead_out(edge, call, asked, current, reason, lead, patience).await,
        };
        match follow.wait(&*edge.world, patience).await {
            Waited::Landed(outcome) => return share(call, asked, outcome, reason),
            Waited::Abandoned => {}
            Waited::Late if can_fall_back => {
                let failure =
                    Failure::new(Code::DeadlineExceeded, "another request for the same copy takes too long");
                return Err(failure.because("a follower has waited too long"));
            }
            Waited::Late => break,
        }
    }
    forward::forward(edge, call, asked, Some(current.keep(call.now_s())), reason).await
}

/// Leads: takes the lease, looks whether the answer has come meanwhile, and goes to the origin.
async fn lead_out<W: World>(
    edge: &Rc<Edge<W>>,
    call: &mut Call,
    asked: &Asked,
    current: &Current,
    reason: Forward,
    mut lead: Lead,
    patience: Duration,
) -> Result<Reply, Failure> {
    if let Some(held) = ready(edge, call, asked.directives, current, &mut lead, patience).await
        && let Some(answer) = serve(call, asked, &held, None)
    {
        lead.land(edge, &call.id, Outcome::Answer(held.entry)).await;
        return answer;
    }
    let keep = Keep { lead: Some(lead), ..current.keep(call.now_s()) };
    forward::forward(edge, call, asked, Some(keep), reason).await
}

/// Waits for the lease, and for an answer that another request or instance stores meanwhile. Whoever holds the lease
/// already has taken it where there was no answer.
async fn ready<W: World>(
    edge: &Rc<Edge<W>>,
    call: &Call,
    directives: Directives,
    current: &Current,
    lead: &mut Lead,
    patience: Duration,
) -> Option<Held> {
    if lead.lease().is_some() {
        return None;
    }
    let mut waited = Duration::ZERO;
    loop {
        let now_ms = call.now_ms + waited.as_millis() as u64;
        let (is_leased, stored) = lead.take_lease(edge, &call.id, now_ms).await;
        if let Found::Hit(held) = current.question(directives, now_ms / 1000).judge(stored.as_deref()) {
            return Some(held);
        }
        if is_leased || waited >= patience {
            return None;
        }
        edge.world.sleep(PAUSE_MAX).await;
        waited += PAUSE_MAX;
    }
}

/// What the leader brought, as an answer to a follower.
fn share(call: &Call, asked: &Asked, outcome: Outcome, reason: Forward) -> Result<Reply, Failure> {
    call.record.cache(CacheStatus::Forward(Forwarded { collapsed: true, ..reason.into() }));
    match outcome {
        Outcome::Answer(entry) => replay_shared(&entry, asked),
        Outcome::Failure(failure) => Err(failure),
    }
}

fn replay_shared(entry: &Entry, asked: &Asked) -> Result<Reply, Failure> {
    replay::replay(entry, 0, asked.as_events)
        .unwrap_or_else(|| Err(Failure::new(Code::Internal, "the copy cannot be read again")))
}

/// Writes another answer after the reply, unless somebody is at it already.
pub(super) fn refresh<W: World>(edge: &Rc<Edge<W>>, call: &Call, asked: &Asked, current: &Current) {
    let Joined::Lead(mut lead) = edge.flights.join(current.key()) else { return };
    let (refresher, mut call, mut asked) = (Rc::clone(edge), call.aside(), asked.clone());
    asked.as_events = false;
    call.record = call.record.aside();
    // Nobody waits for it.
    call.head.headers.remove(DEADLINE);
    let current = current.clone();
    edge.world.later(async move {
        let (is_leased, stored) = lead.take_lease(&refresher, &call.id, call.now_ms).await;
        let found = current.question(Directives::default(), call.now_s()).judge(stored.as_deref());
        if !is_leased || matches!(found, Found::Hit(_)) {
            return;
        }
        let keep = Keep { lead: Some(lead), ..current.keep(call.now_s()) };
        if let Err(failure) =
            forward::forward(&refresher, &mut call, &asked, Some(keep), Forward::Stale).await
        {
            call.record.fail(&failure);
        }
    });
}

//! What a request holds while the origin works for it: one of its key's streams, the tokens that it may use and, where the
//! store does not answer, one of the instance's few ways to the origin. However it ends, it gives them back.

mod estimate;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Instant;

use adlib_shared::copy::Usage;
use adlib_shared::problem::{Code, Problem};

pub use self::estimate::estimate;
use crate::admit::{refusal, token_limit};
use crate::authenticate::Caller;
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::flight::LEASE_MS;
use crate::limit::Limit;
use crate::log;
use crate::request_id::RequestId;
use crate::shelter::Passage;
use crate::store::{Lease, Visit};
use crate::world::{StoreError, World};

/// When to ask again where all of a key's streams are taken, in seconds.
const STREAM_RETRY_AFTER_S: u32 = 1;
/// When to ask again while the store does not answer, in seconds.
const STORE_RETRY_AFTER_S: u32 = 3;

/// The right to go to the origin.
///
/// The tokens are reserved before it is known how many they will be, and settled when it is. Where it stays unknown,
/// because the client has left or the time was over, those that were reserved count.
pub struct Grant<W: World> {
    edge: Rc<Edge<W>>,
    id: RequestId,
    now_ms: u64,
    began: Instant,
    stream: Option<Lease>,
    /// The limit that the tokens were taken from; its cost is how many.
    tokens: Option<Limit>,
    /// How many of them are not settled yet.
    open: u32,
    /// What those that are settled have been used for.
    used: u32,
    passage: Option<Passage>,
}

impl<W: World> Grant<W> {
    /// Asks for the right to have the origin work for somebody, with so many tokens.
    ///
    /// # Errors
    /// `rate_limited` where the key's streams or tokens are used up, and `overloaded` without a store.
    pub async fn of(
        edge: &Rc<Edge<W>>,
        call: &mut Call,
        caller: &Caller,
        tokens: u32,
    ) -> Result<Self, Failure> {
        let mut grant = Self {
            edge: Rc::clone(edge),
            id: call.id.clone(),
            now_ms: call.clock_ms(),
            began: Instant::now(),
            stream: None,
            tokens: None,
            open: tokens,
            used: 0,
            passage: None,
        };
        if !call.is_sheltered {
            match grant.ask_the_store(call, caller).await {
                Ok(None) => return Ok(grant),
                Ok(Some(refused)) => return Err(refused),
                Err(error) => {
                    log::warn(&call.id, error);
                    call.is_sheltered = true;
                }
            }
        }
        grant.passage = edge.shelter.pass();
        if grant.passage.is_some() {
            return Ok(grant);
        }
        let problem = Problem::new(Code::Overloaded, "only what is at hand is answered at the moment");
        Err(problem.with_retry_after_s(STORE_RETRY_AFTER_S).into())
    }

    /// Takes what the key's limits have left, or says which of them refuses.
    async fn ask_the_store(
        &mut self,
        call: &mut Call,
        caller: &Caller,
    ) -> Result<Option<Failure>, StoreError> {
        let edge = Rc::clone(&self.edge);
        let Ok(settings) = edge.settings() else { return Ok(None) };
        if let Some(seats) = settings.limits.streams_of(&caller.limits) {
            let name = format!("streams/{}", caller.key);
            let lease = Lease { name, token: edge.world.entropy(), seats, lasts_ms: LEASE_MS };
            if !edge.store.acquire(&lease, self.now_ms).await? {
                let detail = format!("the key is limited to {seats} answers that are written at once");
                let problem = Problem::new(Code::RateLimited, detail);
                return Ok(Some(problem.with_retry_after_s(STREAM_RETRY_AFTER_S).into()));
            }
            self.stream = Some(lease);
        }
        if let Some(limit) = token_limit(settings, caller, self.open) {
            let visit = Visit { limits: std::slice::from_ref(&limit), ..Visit::new(&self.id, self.now_ms) };
            for decision in edge.store.visit(visit).await?.decisions {
                call.judge(limit.clone(), decision);
                if !decision.allowed {
                    return Ok(Some(refusal(&limit, &decision)));
                }
            }
            self.tokens = Some(limit);
        }
        Ok(None)
    }

    /// The edge that has granted it.
    pub const fn edge(&self) -> &Rc<Edge<W>> {
        &self.edge
    }

    /// What has to be prolonged as long as the origin works.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> + Clone {
        self.stream.iter()
    }

    /// The tokens that were used for all that was granted.
    pub fn settle(&mut self, usage: Usage) {
        self.settle_part(self.open, usage);
    }

    /// The tokens that were used for one brief of several, for which so many were reserved.
    pub fn settle_part(&mut self, reserved: u32, usage: Usage) {
        let Usage { prompt_tokens, cached_tokens: _, completion_tokens } = usage;
        let used = u32::try_from(prompt_tokens.saturating_add(completion_tokens)).unwrap_or(u32::MAX);
        self.open = self.open.saturating_sub(reserved);
        self.used = self.used.saturating_add(used);
    }

    /// Whoever gets nothing pays nothing, unless it is their time that was over, or they have left.
    pub fn fail(&mut self, failure: &Failure) {
        if failure.is_shared() {
            self.settle(Usage::default());
        }
    }
}

impl<W: World> Drop for Grant<W> {
    fn drop(&mut self) {
        let used = self.used.saturating_add(self.open);
        let tokens = self.tokens.take().filter(|limit| limit.cost != used);
        let stream = self.stream.take();
        if stream.is_none() && tokens.is_none() {
            return;
        }
        let (edge, id) = (Rc::clone(&self.edge), self.id.clone());
        let now_ms = self.now_ms + self.began.elapsed().as_millis() as u64;
        self.edge.world.later(async move {
            if let Some(lease) = stream
                && let Err(error) = edge.store.release(&lease).await
            {
                log::warn(&id, error);
            }
            if let Some(limit) = tokens
                && let Err(error) = edge.store.settle(&limit, used, now_ms).await
            {
                log::warn(&id, error);
            }
        });
    }
}

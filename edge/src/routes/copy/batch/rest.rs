//! The lines of a batch: those that are ready, then the origin's as they come.

use std::rc::Rc;

use adlib_shared::batch::{self, Batch, Line, Outcome};
use adlib_shared::brief::Brief;
use adlib_shared::copy::Usage;
use adlib_shared::limits::EVENT_BYTES_MAX;
use adlib_shared::problem::{Code, Problem};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use http::{Method, StatusCode};

use super::super::forward::granted;
use super::line;
use crate::answer;
use crate::authenticate::Caller;
use crate::cache::Held;
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::flight::prolonging;
use crate::grant::{Grant, estimate};
use crate::hop::Ask;
use crate::keep::Keep;
use crate::log;
use crate::reply::Body;
use crate::world::{Incoming, World};

/// A brief that the origin has to answer.
pub(super) struct Pending {
    /// The places in the batch at which it stands.
    pub(super) indices: Vec<usize>,
    pub(super) brief: Brief,
    /// Where the answer is kept.
    pub(super) keep: Option<Keep>,
    /// A stale answer that may be given if the origin fails.
    pub(super) fallback: Option<Held>,
}

struct Rest<W: World> {
    edge: Rc<Edge<W>>,
    call: Call,
    caller: Caller,
    /// What the origin is asked under, once it is.
    grant: Option<Grant<W>>,
    ready: Vec<u8>,
    /// By the place in the request to the origin; `None` once it is answered.
    pending: Vec<Option<Pending>>,
    incoming: Option<Incoming>,
    /// What has come of the next line.
    begun: BytesMut,
}

/// The body of the reply. The origin is asked when the client has taken what was ready, and read as fast as the client
/// reads.
pub(super) fn rest<W: World>(
    edge: &Rc<Edge<W>>,
    call: &Call,
    caller: &Caller,
    ready: Vec<u8>,
    pending: Vec<Pending>,
) -> Body {
    let rest = Rest {
        edge: Rc::clone(edge),
        call: call.aside(),
        caller: caller.clone(),
        grant: None,
        ready,
        pending: pending.into_iter().map(Some).collect(),
        incoming: None,
        begun: BytesMut::new(),
    };
    let pieces = stream::unfold(rest, |mut rest| async move {
        let piece = rest.next().await?;
        Some((Ok(piece), rest))
    });
    Body::Pieces(pieces.boxed_local())
}

impl<W: World> Rest<W> {
    /// The next lines.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.ready.is_empty() {
            return Some(std::mem::take(&mut self.ready).into());
        }
        if self.pending.iter().all(Option::is_none) {
            return None;
        }
        match self.read().await {
            Ok(lines) => Some(lines),
            Err(failure) => Some(self.give_up(&failure)),
        }
    }

    /// Reads from the origin until there is a line to pass on.
    async fn read(&mut self) -> Result<Bytes, Failure> {
        let broken =
            |cause: &str| Failure::new(Code::OriginFailed, "the origin's answer broke off").because(cause);
        loop {
            let mut incoming = match self.incoming.take() {
                Some(incoming) => incoming,
                None => self.ask().await?,
            };
            let leases = self.grant.iter().flat_map(Grant::leases);
            let next = incoming.next();
            let piece = prolonging(&self.edge, &self.call.id, self.call.clock_ms(), leases, next).await;
            let piece = piece.ok_or_else(|| broken("lines are missing"))??;
            self.incoming = Some(incoming);
            self.begun.extend_from_slice(&piece);
            let mut lines = Vec::new();
            while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
                let line = self.begun.split_to(end + 1);
                match line.trim_ascii() {
                    // The origin's sign of life keeps the client's connection alive too.
                    [] => lines.push(b'\n'),
                    line => lines.extend(self.translate(line).await?),
                }
            }
            if self.begun.len() > EVENT_BYTES_MAX {
                return Err(broken("a line is too long"));
            }
            if !lines.is_empty() {
                return Ok(lines.into());
            }
        }
    }

    async fn ask(&mut self) -> Result<Incoming, Failure> {
        let tokens = self.pending.iter().flatten().map(|pending| estimate(&pending.brief)).sum();
        let grant = Grant::of(&self.edge, &mut self.call, &self.caller, tokens).await?;
        let grant = self.grant.insert(grant);
        let settings = self.edge.settings()?;
        let ask = Ask {
            method: Method::POST,
            route: "/v1/copy/batch",
            tenant: &self.caller.tenant,
            // The briefs of a batch begin differently; those of one tenant go to one origin.
            prefix: &self.caller.tenant,
            accept: batch::CONTENT_TYPE,
            body: Batch::to_json(self.pending.iter().flatten().map(|pending| &pending.brief)).into(),
            timeouts: granted(settings.timeouts, &self.call)?,
        };
        let asking = ask.send(&self.edge, &self.call);
        let answer =
            prolonging(&self.edge, &self.call.id, self.call.clock_ms(), grant.leases(), asking).await;
        let (head, body) = answer?.into_parts();
        if head.status != StatusCode::OK {
            return Err(answer::failure(&head, body).await);
        }
        if !answer::is_of_type(&head.headers, batch::CONTENT_TYPE) {
            let failure = Failure::new(Code::OriginFailed, "the origin gave no usable answer");
            return Err(failure.because("lines were asked for, but not sent"));
        }
        Ok(body)
    }

    /// A line of the origin as lines of the client's batch; its answer is kept.
    async fn translate(&mut self, line: &[u8]) -> Result<Vec<u8>, Failure> {
        let unusable = |cause: String| {
            Failure::new(Code::OriginFailed, "the origin gave no usable answer").because(cause)
        };
        let Line { index, outcome } =
            serde_json::from_slice(line).map_err(|error| unusable(log::place(&error)))?;
        let pending = self.pending.get_mut(index).and_then(Option::take);
        let pending = pending.ok_or_else(|| unusable(format!("line {index} was not expected")))?;
        let Pending { indices, brief, keep, fallback } = pending;
        let usage = match &outcome {
            Outcome::Copy(copy) => copy.usage,
            Outcome::Problem(_) => Usage::default(),
        };
        if let Some(grant) = &mut self.grant {
            grant.settle_part(estimate(&brief), usage);
        }
        let outcome = match outcome {
            Outcome::Copy(copy) => {
                if let Some(keep) = keep {
                    keep.copy(&self.edge, &self.call.id, &copy).await;
                }
                Outcome::Copy(copy)
            }
            Outcome::Problem(problem) => {
                let failure = Failure::from(problem);
                if let Some(keep) = keep {
                    keep.failure(&self.edge, &self.call.id, &failure).await;
                }
                return Ok(self.fail(&indices, fallback.as_ref(), &failure));
            }
        };
        Ok(indices.iter().flat_map(|&index| Line { index, outcome: outcome.clone() }.encode()).collect())
    }

    /// The lines of a brief that the origin did not answer with a copy: a stale copy where there is one.
    fn fail(&self, indices: &[usize], fallback: Option<&Held>, failure: &Failure) -> Vec<u8> {
        if let Some(held) = fallback.filter(|_| failure.is_error()) {
            return indices.iter().flat_map(|&index| line(index, held)).collect();
        }
        let problem: Problem = failure.problem.as_ref().clone().with_instance(self.call.id.as_str());
        let line = |&index: &usize| Line { index, outcome: Outcome::Problem(problem.clone()) }.encode();
        indices.iter().flat_map(line).collect()
    }

    /// The lines of everything that is still to be answered, when nothing more will come.
    fn give_up(&mut self, failure: &Failure) -> Bytes {
        self.call.record.fail(failure);
        if let Some(grant) = &mut self.grant {
            grant.fail(failure);
        }
        let mut lines = Vec::new();
        for pending in std::mem::take(&mut self.pending).into_iter().flatten() {
            lines.extend(self.fail(&pending.indices, pending.fallback.as_ref(), failure));
        }
        lines.into()
    }
}

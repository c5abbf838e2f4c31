//! A stream of the origin on its way through: passed on piece by piece as it arrives, read alongside, and kept when it
//! has ended well.

use adlib_shared::copy::Copy;
use adlib_shared::event::{Decoder, Event};
use adlib_shared::problem::{Code, Problem};
use bytes::Bytes;
use futures::stream::{self, StreamExt};

use crate::call::Call;
use crate::failure::Failure;
use crate::flight::prolonging;
use crate::grant::Grant;
use crate::keep::Keep;
use crate::log;
use crate::record::Record;
use crate::reply::Body;
use crate::request_id::RequestId;
use crate::world::{Incoming, SendError, World};

/// Longest stream, in bytes: ten times what the longest copies take with their deltas.
pub const STREAM_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The state of one stream.
struct Relay<W: World> {
    id: RequestId,
    now_ms: u64,
    record: Record,
    grant: Grant<W>,
    incoming: Incoming,
    decoder: Decoder,
    passed_bytes: usize,
    keep: Option<Keep>,
    /// How it ended, until that has been kept.
    end: Option<Result<Copy, Failure>>,
    phase: Phase,
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Events come.
    Running,
    /// `done` or `error` has passed.
    Concluded,
    /// What comes cannot be read as events; it is passed on all the same.
    Unreadable,
    /// Nothing follows.
    Ended,
}

/// The body of a reply that passes a stream on. The origin is read only as fast as the client reads; a client that
/// leaves drops the body, and with it the connection to the origin.
pub fn relay<W: World>(call: &Call, incoming: Incoming, keep: Option<Keep>, grant: Grant<W>) -> Body {
    let relay = Relay {
        id: call.id.clone(),
        now_ms: call.now_ms,
        record: call.record.clone(),
        grant,
        incoming,
        decoder: Decoder::new(),
        passed_bytes: 0,
        keep,
        end: None,
        phase: Phase::Running,
    };
    let pieces = stream::unfold(relay, |mut relay| async move {
        let piece = relay.next().await?;
        Some((piece, relay))
    });
    Body::Pieces(pieces.boxed_local())
}

impl<W: World> Relay<W> {
    /// The next piece for the client. A finished copy is kept when its last event has been taken, before the stream
    /// ends, so that the next request finds it.
    async fn next(&mut self) -> Option<Result<Bytes, SendError>> {
        if self.phase == Phase::Ended {
            return None;
        }
        if let Some(end) = self.end.take()
            && let Some(keep) = self.keep.take()
        {
            match end {
                Ok(copy) => keep.copy(self.grant.edge(), &self.id, &copy).await,
                Err(failure) => keep.failure(self.grant.edge(), &self.id, &failure).await,
            }
        }
        let leases = self.keep.iter().filter_map(Keep::lease).chain(self.grant.leases());
        let next = self.incoming.next();
        match prolonging(self.grant.edge(), &self.id, self.now_ms, leases, next).await {
            Some(Ok(piece)) if self.passed_bytes + piece.len() <= STREAM_BYTES_MAX => {
                self.passed_bytes += piece.len();
                self.observe(&piece);
                Some(Ok(piece))
            }
            Some(Ok(_)) => self.break_off(SendError::Broken(format!("more than {STREAM_BYTES_MAX} bytes"))),
            Some(Err(error)) => self.break_off(error),
            None if self.phase == Phase::Running => {
                self.break_off(SendError::Broken("the stream ended without done".to_owned()))
            }
            None => None,
        }
    }

    fn observe(&mut self, piece: &[u8]) {
        if self.phase != Phase::Running {
            return;
        }
        let events = match self.decoder.push(piece) {
            Ok(events) => events,
            Err(error) => {
                log::warn(&self.id, error);
                self.phase = Phase::Unreadable;
                return;
            }
        };
        for event in events {
            match event {
                Event::Done(copy) if self.phase == Phase::Running => {
                    self.grant.settle(copy.usage);
                    self.end = Some(Ok(copy));
                    self.phase = Phase::Concluded;
                }
                Event::Error(problem) => {
                    let failure = Failure::from(problem);
                    self.record.fail(&failure);
                    self.grant.fail(&failure);
                    self.end = Some(Err(failure));
                    self.phase = Phase::Concluded;
                }
                _ => {}
            }
        }
    }

    /// Ends a stream that did not come to its end: with the event `error` where one can stand, else by breaking off
    /// too, so that half an event is not taken for a whole one.
    fn break_off(&mut self, error: SendError) -> Option<Result<Bytes, SendError>> {
        let is_concluded = self.phase == Phase::Concluded;
        let can_tell = self.phase == Phase::Running && self.decoder.is_between_events();
        self.phase = Phase::Ended;
        if is_concluded {
            return None;
        }
        let failure = Failure::from(error.clone());
        self.record.fail(&failure);
        self.grant.fail(&failure);
        if !can_tell {
            return Some(Err(error));
        }
        let Failure { problem, .. } = failure;
        let code = if problem.code == Code::OriginUnavailable { Code::OriginFailed } else { problem.code };
        let problem = Problem { code, ..*problem }.with_instance(self.id.as_str());
        Some(Ok(Event::Error(problem).encode().into()))
    }
}

#[cfg(test)]
mod tests;

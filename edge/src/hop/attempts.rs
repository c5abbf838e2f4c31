//! When which origin is asked: the first in the prompt's order, another one where that gives no answer, and a second one
//! beside it where it takes long. All of it ends with the head of an answer: what has begun is never asked for again.

use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use adlib_shared::event;
use adlib_shared::problem::{self, Code};
use futures::future::{Either, select};
use http::{Response, StatusCode};

use super::Ask;
use super::origins::{Origin, watched};
use crate::answer::is_of_type;
use crate::breaker::Pass;
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::{Failure, RETRY_AFTER_S};
use crate::log;
use crate::settings::Timeouts;
use crate::world::{Incoming, SendError, World};

/// Most attempts of one request, hedges not counted.
pub const ATTEMPTS_MAX: usize = 3;
/// How soon a connection has to break for the same origin to be asked again: it was most likely one that had been kept
/// open while the origin restarted.
pub const RETRY_WITHIN: Duration = Duration::from_secs(1);

/// What one origin gave.
struct Given {
    result: Result<Response<Incoming>, SendError>,
    again: Again,
}

/// Where the same may be asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// This is the answer.
    Nowhere,
    /// Another origin may do better.
    Elsewhere,
    /// The same one may, too.
    Anywhere,
}

impl Ask<'_> {
    /// Sends it and returns at the head of the answer, whatever its status. Every route of the origin may be asked twice.
    ///
    /// # Errors
    /// `origin_unavailable`, `deadline_exceeded` or `origin_failed` where there is no answer.
    pub async fn send<W: World>(&self, edge: &Edge<W>, call: &Call) -> Result<Response<Incoming>, Failure> {
        let deadline = Instant::now() + self.timeouts.total;
        let ranked = edge.origins.ranked(self.prefix);
        edge.origins.budget.earn();
        let mut last: Option<(Given, &Rc<Origin>)> = None;
        let mut closed_for = None;
        // Where there is only one origin, it may be asked a second time.
        for origin in ranked.iter().cycle().take(ranked.len().clamp(2, ATTEMPTS_MAX)) {
            let may_ask = last.as_ref().is_none_or(|(given, asked)| match given.again {
                Again::Nowhere => false,
                Again::Elsewhere => !Rc::ptr_eq(asked, origin),
                Again::Anywhere => true,
            });
            if !may_ask {
                break;
            }
            let pass = match origin.admit() {
                Ok(pass) => pass,
                Err(wait) => {
                    closed_for = closed_for.min(Some(wait)).or(Some(wait));
                    continue;
                }
            };
            if last.is_some() && !edge.origins.budget.spend() {
                break;
            }
            let given = self.race(edge, call, origin, pass, &ranked, deadline).await?;
            if given.again == Again::Nowhere {
                return Ok(given.result?);
            }
            if let Err(error) = &given.result {
                log::warn(&call.id, format_args!("{} gave no answer: {error}", origin.url));
            }
            // An origin that says what is the matter says more than one that says nothing.
            if given.result.is_ok() || last.is_none() {
                last = Some((given, origin));
            }
        }
        match last {
            Some((given, _)) => Ok(given.result?),
            None => Err(unavailable(closed_for)),
        }
    }

    /// Asks one origin; and where that takes longer than nearly all answers did, a second one as well. The first good
    /// answer counts, and the other request is dropped.
    async fn race<W: World>(
        &self,
        edge: &Edge<W>,
        call: &Call,
        origin: &Rc<Origin>,
        pass: Pass,
        ranked: &[Rc<Origin>],
        deadline: Instant,
    ) -> Result<Given, Failure> {
        let first = pin!(self.attempt(edge, call, origin, pass, deadline));
        let is_other = |other: &&Rc<Origin>| !Rc::ptr_eq(other, origin) && other.is_healthy();
        let second =
            ranked.iter().find(is_other).filter(|_| edge.settings().is_ok_and(|settings| settings.hedge));
        let (Some(second), Some(patience)) = (second, self.latency(edge).p95()) else { return first.await };
        let first = match select(first, pin!(edge.world.sleep(patience))).await {
            Either::Left((given, _)) => return given,
            Either::Right(((), first)) => first,
        };
        let Ok(pass) = second.admit() else { return first.await };
        if !edge.origins.budget.spend() {
            return first.await;
        }
        call.record.hedge();
        let second = pin!(self.attempt(edge, call, second, pass, deadline));
        let is_good = |given: &Result<Given, Failure>| {
            given.as_ref().is_ok_and(|given| given.result.is_ok() && given.again == Again::Nowhere)
        };
        match select(first, second).await {
            Either::Left((given, second)) => {
                if is_good(&given) {
                    given
                } else {
                    second.await
                }
            }
            Either::Right((given, first)) => {
                if is_good(&given) {
                    given
                } else {
                    first.await
                }
            }
        }
    }

    /// Asks one origin once, and tells its breaker.
    async fn attempt<W: World>(
        &self,
        edge: &Edge<W>,
        call: &Call,
        origin: &Rc<Origin>,
        pass: Pass,
        deadline: Instant,
    ) -> Result<Given, Failure> {
        let left = Self::left(deadline)?;
        let request = self.request(&*edge.world, edge.settings()?, call, &origin.url, left)?;
        let timeouts = self.timeouts.within(left);
        call.record.ask(origin);
        let began = Instant::now();
        let result = edge.world.send(request, timeouts).await;
        let took = began.elapsed();
        let again = again(&result, took);
        let result = match result {
            Ok(answer) if is_foreign_failure(&answer) => {
                pass.failed(Instant::now());
                Ok(answer)
            }
            Ok(answer) => {
                self.latency(edge).add(took);
                Ok(watched(answer, pass))
            }
            Err(error) => {
                if is_the_origins(&error, self.timeouts, timeouts) {
                    pass.failed(Instant::now());
                }
                Err(error)
            }
        };
        Ok(Given { result, again })
    }

    /// The times that answers of this kind took.
    fn latency<'e, W>(&self, edge: &'e Edge<W>) -> &'e super::latency::Latency {
        if self.accept == event::CONTENT_TYPE { &edge.origins.streams } else { &edge.origins.whole }
    }
}

/// Whether the same may be asked for again.
fn again(result: &Result<Response<Incoming>, SendError>, took: Duration) -> Again {
    match result {
        Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE || is_foreign_failure(answer) => {
            Again::Elsewhere
        }
        Err(SendError::Broken(_)) if took < RETRY_WITHIN => Again::Anywhere,
        Err(SendError::Broken(_) | SendError::Unreachable(_)) => Again::Elsewhere,
        Ok(_) | Err(SendError::TimedOut(_) | SendError::Denied(_)) => Again::Nowhere,
    }
}

/// Whether an answer tells of a failure in other words than the contract's: something else than the origin wrote it, or
/// an origin out of its mind. An origin that says 503 is alive, whatever the form.
fn is_foreign_failure(answer: &Response<Incoming>) -> bool {
    answer.status().is_server_error()
        && answer.status() != StatusCode::SERVICE_UNAVAILABLE
        && !is_of_type(answer.headers(), problem::CONTENT_TYPE)
}

/// Whether an error speaks against the origin: not where the runtime withheld the request, nor where the request had less
/// time than an origin is granted.
fn is_the_origins(error: &SendError, granted: Timeouts, given: Timeouts) -> bool {
    match error {
        SendError::Unreachable(_) | SendError::Broken(_) => true,
        SendError::TimedOut(_) => given.first_byte == granted.first_byte,
        SendError::Denied(_) => false,
    }
}

/// No origin is asked at the moment.
fn unavailable(closed_for: Option<Duration>) -> Failure {
    let wait_s = closed_for.map_or(RETRY_AFTER_S, |wait| wait.as_millis().div_ceil(1000) as u32);
    let mut failure = Failure::new(Code::OriginUnavailable, "the origin cannot be reached");
    failure.problem.retry_after_s = Some(wait_s);
    failure.because("every origin has failed several times in a row and is left alone for now")
}

#[cfg(test)]
mod tests;

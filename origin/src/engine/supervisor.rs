//! Keeps an engine running: when its device fails, everything on the device is dropped and the model is loaded anew.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::Engine;
use super::limits::EngineLimits;
use super::live::Submission;
use super::request::{AbortReason, Event};
use super::shared::{Condition, Shared};
use crate::backend::Backend;
use crate::model::llama::Llama;

/// How often and how soon an engine is started anew after its device failed.
#[derive(Debug, Clone, Copy)]
pub struct Restarts {
    /// Most of them in a row. A failure after the last one ends the engine.
    pub in_row_max: u32,
    /// The pause before the first of a row, for the driver to recover; each further one is twice as long.
    pub pause: Duration,
    /// An engine that has served for so long begins a new row.
    pub steady: Duration,
}

impl Restarts {
    /// The pause before a restart, the first of a row being 0.
    fn pause_before(&self, restart: u32) -> Duration {
        self.pause * 2_u32.pow(restart)
    }
}

impl Default for Restarts {
    /// Five, with pauses of about half a minute in all.
    fn default() -> Self {
        Self { in_row_max: 5, pause: Duration::from_secs(1), steady: Duration::from_mins(10) }
    }
}

/// An engine that ended because its device went on failing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("engine {replica} has stopped: {reason}")]
pub struct EngineLost {
    /// Which of the engines.
    pub replica: usize,
    /// Its last failure.
    pub reason: String,
}

/// What runs on an engine's thread.
pub(super) struct Supervisor<L> {
    pub(super) replica: usize,
    pub(super) limits: EngineLimits,
    pub(super) submissions: Receiver<Submission>,
    pub(super) shared: Arc<Shared>,
    pub(super) restarts: Restarts,
    /// Loads the model on a fresh device.
    pub(super) reload: L,
}

impl<L> Supervisor<L> {
    /// Serves until every handle is gone and every request has ended, or until the device cannot be had back.
    pub(super) fn run<B, E>(mut self, mut model: Llama<B>) -> Result<(), EngineLost>
    where
        B: Backend,
        L: FnMut() -> Result<Llama<B>, E>,
        E: Display,
    {
        let mut restarts = 0;
        loop {
            let began = Instant::now();
            let engine = Engine::new(model, self.limits, &self.submissions, &self.shared);
            // The engine is dropped here, and with it all that was on the device.
            let Err(failure) = engine.run_until_closed() else { return Ok(()) };
            let replica = self.replica;
            tracing::error!(replica, error = %failure, "the device failed; what runs and waits there is ended");
            self.shared.stats.device_errors.add(1);
            if began.elapsed() >= self.restarts.steady {
                restarts = 0;
            }
            match self.start_anew(failure.to_string(), &mut restarts)? {
                Some(again) => model = again,
                None => return Ok(()),
            }
        }
    }

    /// The model on a fresh device; nothing where nobody needs it any more.
    fn start_anew<B, E>(
        &mut self,
        mut reason: String,
        restarts: &mut u32,
    ) -> Result<Option<Llama<B>>, EngineLost>
    where
        B: Backend,
        L: FnMut() -> Result<Llama<B>, E>,
        E: Display,
    {
        let replica = self.replica;
        while *restarts < self.restarts.in_row_max {
            let pause = self.restarts.pause_before(*restarts);
            *restarts += 1;
            let pause_ms = pause.as_millis() as u64;
            tracing::warn!(replica, attempt = *restarts, pause_ms, "the model is loaded anew after a pause");
            self.shared.set_condition(Condition::Restarting { reason: reason.clone() });
            if !self.turn_away_for(pause) {
                return Ok(None);
            }
            let began = Instant::now();
            match (self.reload)() {
                Ok(model) => {
                    self.shared.stats.restarts.add(1);
                    self.shared.set_condition(Condition::Serving);
                    let took_ms = began.elapsed().as_millis() as u64;
                    tracing::warn!(replica, took_ms, "the model is loaded anew; the engine serves again");
                    return Ok(Some(model));
                }
                Err(error) => {
                    tracing::error!(replica, %error, "the model could not be loaded anew");
                    reason = error.to_string();
                }
            }
        }
        tracing::error!(replica, reason, "the device went on failing; its engine is given up");
        Err(EngineLost { replica, reason })
    }

    /// Ends what was submitted before anyone could know, for as long as the pause lasts. False when every handle is gone.
    fn turn_away_for(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        loop {
            match self.submissions.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(submission) => self.turn_away(&submission),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn turn_away(&self, submission: &Submission) {
        self.shared.stats.waiting.subtract(1);
        // Nobody minds if its receiver is gone.
        _ = submission.events.send(Event::Aborted(AbortReason::DeviceLost));
    }
}

impl<L> Drop for Supervisor<L> {
    /// However the thread ends, by a panic too, its engine is said to have stopped and nobody waits for it.
    fn drop(&mut self) {
        let reason = match self.shared.condition() {
            Condition::Restarting { reason } => reason,
            _ => String::from("the engine's thread has ended"),
        };
        self.shared.set_condition(Condition::Stopped { reason });
        while let Ok(submission) = self.submissions.try_recv() {
            self.turn_away(&submission);
        }
    }
}

#[test]
fn pauses_grow_within_half_a_minute() {
    let restarts = Restarts::default();
    let pauses: Vec<_> =
        (0..restarts.in_row_max).map(|restart| restarts.pause_before(restart).as_secs()).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16]);
}

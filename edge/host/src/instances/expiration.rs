//! When an instance has to go.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use wasmtime_wasi_http::handler::{WorkerExpiration, WorkerStatus};

use crate::limits::Limits;
use crate::program::TICK;

/// Ends an instance that idles, that works on beyond a request's time, or that computes without giving way.
pub(crate) struct Expiration {
    idle_max: Duration,
    request_max: Duration,
    timer: Pin<Box<Sleep>>,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
    busy: Busy,
}

impl Expiration {
    pub(super) fn new(limits: &Limits, yields: Arc<AtomicU32>, closing: CancellationToken) -> Self {
        Self {
            idle_max: limits.instance_idle_max,
            request_max: limits.request_time_max,
            timer: Box::pin(sleep(limits.instance_idle_max)),
            closing: Box::pin(closing.cancelled_owned()),
            busy: Busy::new(limits.guest_busy_max, yields),
        }
    }
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        let this = &mut *self;
        if this.busy.is_over(status, since) {
            tracing::error!("an instance computed longer than it may without giving way");
            return Poll::Ready(());
        }
        let time = if status == WorkerStatus::Idle {
            if this.closing.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            this.idle_max
        } else {
            this.request_max
        };
        let Some(deadline) = since.checked_add(time) else { return Poll::Pending };
        let deadline = deadline.into();
        if this.timer.deadline() != deadline {
            this.timer.as_mut().reset(deadline);
        }
        this.timer.as_mut().poll(cx)
    }
}

/// Tells a guest that spins from one that is merely busy.
///
/// The engine counts a yield whenever a tick finds the guest computing. A guest that works in short pieces returns to
/// the host between ticks, so that some poll sees no new yield, or it starts and ends requests; a guest that spins
/// yields at every tick and does neither.
struct Busy {
    yields: Arc<AtomicU32>,
    yields_max: u32,
    yields_seen: u32,
    /// Yields without a sign of progress.
    without_progress: u32,
    last: Option<(WorkerStatus, Instant)>,
}

impl Busy {
    fn new(time_max: Duration, yields: Arc<AtomicU32>) -> Self {
        let yields_max = u32::try_from(time_max.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX);
        Self { yields, yields_max, yields_seen: 0, without_progress: 0, last: None }
    }

    fn is_over(&mut self, status: WorkerStatus, since: Instant) -> bool {
        let yields = self.yields.load(Ordering::Relaxed);
        let new = yields.wrapping_sub(self.yields_seen);
        self.yields_seen = yields;
        if new == 0 || self.last != Some((status, since)) {
            self.last = Some((status, since));
            self.without_progress = 0;
        } else {
            self.without_progress = self.without_progress.saturating_add(new);
        }
        self.without_progress > self.yields_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy() -> (Busy, Arc<AtomicU32>) {
        let yields = Arc::new(AtomicU32::new(0));
        (Busy::new(TICK * 3, Arc::clone(&yields)), yields)
    }

    #[test]
    fn a_guest_that_only_yields_is_over_one_tick_past_its_time() {
        let (mut busy, yields) = busy();
        let since = Instant::now();
        assert!(!busy.is_over(WorkerStatus::Requests, since));
        for tick in 1..=4 {
            yields.fetch_add(1, Ordering::Relaxed);
            assert_eq!(busy.is_over(WorkerStatus::Requests, since), tick > 3, "tick {tick}");
        }
    }

    #[test]
    fn a_poll_without_a_yield_and_a_new_request_are_progress() {
        let (mut busy, yields) = busy();
        let since = Instant::now();
        for round in 0..10 {
            yields.fetch_add(3, Ordering::Relaxed);
            assert!(!busy.is_over(WorkerStatus::Requests, since), "round {round}");
            assert!(!busy.is_over(WorkerStatus::Requests, since), "no yield since");
        }
        for request in 1..10 {
            yields.fetch_add(3, Ordering::Relaxed);
            assert!(!busy.is_over(WorkerStatus::Requests, since + TICK * request), "request {request}");
        }
    }
}

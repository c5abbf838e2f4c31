//! What every route can reach.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adlib_shared::problem::{Code, Problem};
use metrics_exporter_prometheus::PrometheusHandle;

use super::writer::Writer;

/// Seconds after which a client may ask again while the model loads.
const RETRY_LOADING_S: u32 = 2;

/// The state of the service. Its life: loading, ready, draining.
pub struct App<W> {
    writer: OnceLock<W>,
    draining: AtomicBool,
    request_deadline: Duration,
    metrics: PrometheusHandle,
}

impl<W: Writer> App<W> {
    /// A service whose model is still to be loaded.
    pub fn new(request_deadline: Duration, metrics: PrometheusHandle) -> Self {
        Self { writer: OnceLock::new(), draining: AtomicBool::new(false), request_deadline, metrics }
    }

    /// The model is loaded: from here on briefs are taken. Only the first call counts.
    pub fn loaded(&self, writer: W) {
        let again = self.writer.set(writer).is_err();
        assert!(!again, "a service loads its model once");
    }

    /// The service goes down: nothing new is taken.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// The loaded writer, whether or not it takes briefs.
    pub fn loaded_writer(&self) -> Option<&W> {
        self.writer.get()
    }

    /// The writer, if briefs are taken now.
    pub fn writer(&self) -> Result<&W, Problem> {
        let unavailable =
            |detail| Problem::new(Code::OriginUnavailable, detail).with_retry_after_s(RETRY_LOADING_S);
        if self.draining.load(Ordering::Acquire) {
            return Err(unavailable("the origin is shutting down"));
        }
        self.writer.get().ok_or_else(|| unavailable("the model is still loading"))
    }

    /// Whether briefs are taken now; else why not.
    pub fn ready(&self) -> Result<(), Vec<String>> {
        match self.writer() {
            Ok(writer) => writer.ready(),
            Err(problem) => Err(vec![problem.detail]),
        }
    }

    /// How long a request may take in all.
    pub fn request_deadline(&self) -> Duration {
        self.request_deadline
    }

    /// Everything measured so far, in Prometheus' text format.
    pub fn render_metrics(&self) -> String {
        if let Some(writer) = self.writer.get() {
            writer.publish_metrics();
        }
        self.metrics.render()
    }
}

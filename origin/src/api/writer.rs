//! What the routes ask of the part that writes: the loaded copywriter in the product, a script in the routes' tests.

mod engine_metrics;

use adlib_shared::brief::Brief;
use adlib_shared::catalog::ModelInfo;
use adlib_shared::event::Event;
use adlib_shared::problem::Problem;
use futures::Stream;

pub use crate::copy::WriteContext;
use crate::copy::{CopyStream, Copywriter};

/// Writes copy for briefs.
pub trait Writer: Send + Sync + 'static {
    /// One answer as it is written. Dropping it cancels the work.
    type Events: Stream<Item = Event> + Send + Unpin + 'static;

    /// The model that writes.
    fn model(&self) -> &ModelInfo;

    /// Whether it can take briefs now; else why not.
    fn ready(&self) -> Result<(), Vec<String>>;

    /// Begins an answer, or refuses the brief.
    fn write(&self, brief: Brief, context: WriteContext) -> Result<Self::Events, Problem>;

    /// Brings the gauges and counters that are kept elsewhere up to date, before they are read.
    fn publish_metrics(&self);
}

impl Writer for Copywriter {
    type Events = CopyStream;

    fn model(&self) -> &ModelInfo {
        self.model()
    }

    fn ready(&self) -> Result<(), Vec<String>> {
        self.engines().ready()
    }

    fn write(&self, brief: Brief, context: WriteContext) -> Result<CopyStream, Problem> {
        self.write(brief, context)
    }

    fn publish_metrics(&self) {
        self.engines().replicas().iter().enumerate().for_each(engine_metrics::publish);
    }
}

//! What the routes ask of the part that writes: the loaded copywriter in the product, a script in the routes' tests.

mod engine_metrics;

use adlib_shared::brief::Brief;
use adlib_shared::catalog::ModelInfo;
use adlib_shared::event::Event;
use adlib_shared::problem::Problem;
use futures::Stream;

use crate::copy::CopyStream;
pub use crate::copy::WriteContext;
use crate::copy::load::LoadedWriter;

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

impl Writer for LoadedWriter {
    type Events = CopyStream;

    fn model(&self) -> &ModelInfo {
        self.writer.model()
    }

    fn ready(&self) -> Result<(), Vec<String>> {
        if self.engine.is_finished() { Err(vec!["the engine has stopped".to_owned()]) } else { Ok(()) }
    }

    fn write(&self, brief: Brief, context: WriteContext) -> Result<CopyStream, Problem> {
        self.writer.write(brief, context)
    }

    fn publish_metrics(&self) {
        engine_metrics::publish(self.writer.engine().stats());
    }
}

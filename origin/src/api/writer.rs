//! What the routes ask of the part that writes: the copywriter in the product, a double in the tests of the routes.

use std::time::Instant;

use adlib_shared::brief::Brief;
use adlib_shared::catalog::ModelInfo;
use adlib_shared::event::Event;
use adlib_shared::problem::Problem;
use futures::Stream;

/// What belongs to a request beside its brief.
#[derive(Debug, Clone)]
pub struct WriteContext {
    /// Whose request it is; caches are kept apart by it.
    pub tenant: String,
    /// The request's id, for the log.
    pub request_id: String,
    /// When the answer must be complete.
    pub deadline: Instant,
}

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

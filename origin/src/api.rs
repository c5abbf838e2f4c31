//! The routes of the contract, each group in its own file, over whatever writes the copy.

pub mod app;
pub mod batch;
pub mod body;
pub mod catalog;
pub mod check;
pub mod copy;
pub mod deadline;
pub mod health;
pub mod media;
pub mod record;
pub mod refusal;
pub mod stream;
pub mod trace_parent;
pub mod writer;

use std::sync::Arc;

use adlib_shared::problem::{Code, Problem};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use app::App;
use refusal::Refusal;
use writer::Writer;

/// Begins the routes that need a signed hop; the others are for probes and scrapers.
pub const SIGNED_PREFIX: &str = "/v1/";

/// The route of batches, whose bodies may be larger than others.
pub const BATCH: &str = "/v1/copy/batch";

/// Every route, and problem documents for those that do not exist.
pub fn router<W: Writer>(app: Arc<App<W>>) -> Router {
    Router::new()
        .route("/v1/copy", post(copy::write::<W>))
        .route(BATCH, post(batch::write::<W>))
        .route("/v1/check", post(check::check))
        .route("/v1/channels", get(catalog::channels))
        .route("/v1/tones", get(catalog::tones))
        .route("/v1/frameworks", get(catalog::frameworks))
        .route("/v1/models", get(catalog::models::<W>))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready::<W>))
        .route("/metrics", get(health::metrics::<W>))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        // Bodies are bounded where they are read, by limits that the contract names.
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

async fn no_route() -> Refusal {
    Refusal(Problem::new(Code::NotFound, "no such route"))
}

async fn no_method() -> Refusal {
    Refusal(Problem::new(Code::MethodNotAllowed, "the route exists, but not for this method"))
}

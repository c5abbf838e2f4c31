//! For probes and scrapers: alive, able to serve, and what was measured.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use serde::Serialize;

use super::app::App;
use super::writer::Writer;

/// Prometheus' text exposition format.
const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The answer of `GET /readyz`.
#[derive(Debug, Serialize)]
pub struct Readiness {
    ready: bool,
    /// Why not; empty where ready.
    reasons: Vec<String>,
}

/// `GET /healthz`: the process runs and answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: whether briefs are taken; 503 with the reasons where not.
pub async fn ready<W: Writer>(State(app): State<Arc<App<W>>>) -> (StatusCode, Json<Readiness>) {
    match app.ready() {
        Ok(()) => (StatusCode::OK, Json(Readiness { ready: true, reasons: Vec::new() })),
        Err(reasons) => (StatusCode::SERVICE_UNAVAILABLE, Json(Readiness { ready: false, reasons })),
    }
}

/// `GET /metrics`.
pub async fn metrics<W: Writer>(State(app): State<Arc<App<W>>>) -> ([(HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, METRICS_CONTENT_TYPE)], app.render_metrics())
}

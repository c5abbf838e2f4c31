//! What there is: channels, tones, frameworks, models.

use std::sync::Arc;

use adlib_shared::catalog::{self, ChannelInfo, List, ModelInfo, WordInfo};
use axum::Json;
use axum::extract::State;

use super::app::App;
use super::refusal::Refusal;
use super::writer::Writer;

/// `GET /v1/channels`.
pub async fn channels() -> Json<List<ChannelInfo>> {
    Json(catalog::channels())
}

/// `GET /v1/tones`.
pub async fn tones() -> Json<List<WordInfo>> {
    Json(catalog::tones())
}

/// `GET /v1/frameworks`.
pub async fn frameworks() -> Json<List<WordInfo>> {
    Json(catalog::frameworks())
}

/// `GET /v1/models`: the one model that is loaded.
pub async fn models<W: Writer>(State(app): State<Arc<App<W>>>) -> Result<Json<List<ModelInfo>>, Refusal> {
    let writer = app.writer()?;
    Ok(Json([writer.model().clone()].into_iter().collect()))
}

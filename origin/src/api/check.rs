//! `POST /v1/check`: any text against a channel's rules, without a model.

use adlib_shared::check::{Check, Request, all_hard_ok};
use axum::Json;
use axum::body::Bytes;
use axum::http::HeaderMap;
use serde::Serialize;

use super::media;
use super::refusal::Refusal;

/// The answer: every check that was made.
#[derive(Debug, Serialize)]
pub struct Checked {
    channel: &'static str,
    channel_revision: u32,
    checks: Vec<Check>,
    /// Whether every check holds that is not advisory.
    ok: bool,
}

/// Checks the texts in the body.
pub async fn check(headers: HeaderMap, body: Bytes) -> Result<Json<Checked>, Refusal> {
    media::require_json(&headers)?;
    let request = Request::parse(&body)?;
    let checks = request.check();
    let ok = all_hard_ok(&checks);
    Ok(Json(Checked { channel: request.channel.id, channel_revision: request.channel.revision, checks, ok }))
}

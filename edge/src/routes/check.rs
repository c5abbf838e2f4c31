//! `POST /v1/check`: any text is verified against a channel, without a model and without the origin.

use adlib_shared::check::{Check, Request, all_hard_ok};
use adlib_shared::limits::CHECK_BODY_BYTES_MAX;
use bytes::Bytes;
use serde::Serialize;

use super::catalog::json;
use crate::authenticate::{Caller, Scope};
use crate::body;
use crate::call::Call;
use crate::failure::Failure;
use crate::reply::Reply;

/// What was found.
#[derive(Debug, Serialize)]
struct Checked {
    channel: &'static str,
    channel_revision: u32,
    checks: Vec<Check>,
    ok: bool,
}

/// Verifies the texts of a request.
///
/// # Errors
/// What is wrong with the request; texts that break a rule are no error.
pub async fn check<B>(call: &Call, caller: &Caller, body: B) -> Result<Reply, Failure>
where
    B: http_body::Body<Data = Bytes>,
{
    caller.require_one_of(&[Scope::Check, Scope::Copy])?;
    let bytes = body::json(call.headers(), body, CHECK_BODY_BYTES_MAX).await?;
    let request = Request::parse(&bytes)?;
    let checks = request.check();
    let ok = all_hard_ok(&checks);
    let channel = request.channel;
    json(&Checked { channel: channel.id, channel_revision: channel.revision, checks, ok })
}

//! `/admin/blocks`: who is shut out, by strikes or by hand.

use std::rc::Rc;

use adlib_shared::problem::{Code, Problem};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::catalog::json;
use crate::authenticate::{Caller, Scope};
use crate::block::{BLOCK_MS_MAX, Block, Subject};
use crate::body;
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::reply::Reply;
use crate::world::World;

/// The path of all blocks; one has its subject behind it, such as `/address/192.0.2.1`.
pub const PATH: &str = "/admin/blocks";
/// Largest body, in bytes: a subject's name is far shorter.
const BODY_BYTES_MAX: usize = 4096;
/// Longest block by hand, in seconds: thirty times as long as one by strikes.
pub const SECONDS_MAX: u64 = 30 * BLOCK_MS_MAX / 1000;

/// One block as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    subject: String,
    /// When it ends, in seconds since 1970.
    until: u64,
    /// How often it has doubled.
    level: u32,
}

/// A block by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    subject: String,
    seconds: u64,
}

/// `GET`: every block that holds.
///
/// # Errors
/// `forbidden`, or the store's failure.
pub async fn list<W: World>(edge: &Rc<Edge<W>>, call: &Call, caller: &Caller) -> Result<Reply, Failure> {
    caller.require(Scope::Admin)?;
    let mut blocks = edge.store.blocks(call.now_ms).await?;
    blocks.sort_by_key(|(subject, block)| (block.until_ms, subject.name()));
    let shown = |(subject, block): &(Subject, Block)| shown(*subject, *block);
    json(&serde_json::json!({ "blocks": blocks.iter().map(shown).collect::<Vec<_>>() }))
}

/// `POST`: blocks somebody for a time.
///
/// # Errors
/// `forbidden`, what is wrong with the request, or the store's failure.
pub async fn add<W, B>(edge: &Rc<Edge<W>>, call: &Call, caller: &Caller, body: B) -> Result<Reply, Failure>
where
    W: World,
    B: http_body::Body<Data = Bytes>,
{
    caller.require(Scope::Admin)?;
    let bytes = body::json(call.headers(), body, BODY_BYTES_MAX).await?;
    let wanted: Wanted = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::new(Code::MalformedJson, error.to_string()))?;
    let subject = Subject::parse(&wanted.subject).ok_or_else(|| {
        Problem::new(Code::InvalidField, "subject is neither key/<id> nor address/<address>")
    })?;
    if !(1..=SECONDS_MAX).contains(&wanted.seconds) {
        let detail = format!("seconds is not a whole number from 1 to {SECONDS_MAX}");
        return Err(Problem::new(Code::InvalidField, detail).into());
    }
    let block = Block { until_ms: call.now_ms + wanted.seconds * 1000, level: 0 };
    edge.store.block(subject, block, call.now_ms).await?;
    json(&shown(subject, block))
}

/// `DELETE`: ends a block.
///
/// # Errors
/// `forbidden`, `not_found`, or the store's failure.
pub async fn end<W: World>(edge: &Rc<Edge<W>>, call: &Call, caller: &Caller) -> Result<Reply, Failure> {
    caller.require(Scope::Admin)?;
    let name = call.head.uri.path().strip_prefix(PATH).and_then(|rest| rest.strip_prefix('/'));
    if let Some(subject) = name.and_then(Subject::parse)
        && edge.store.unblock(subject, call.now_ms).await?
    {
        return Ok(Reply::no_content());
    }
    Err(Failure::new(Code::NotFound, "nobody of this name is blocked"))
}

fn shown(subject: Subject, block: Block) -> Shown {
    Shown { subject: subject.name(), until: block.until_ms.div_ceil(1000), level: block.level }
}

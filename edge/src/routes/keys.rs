//! `/admin/keys`: the keys of all tenants. The secret of a key is in one reply, the one to who made it, and nowhere else.

mod list;
mod shown;

use std::rc::Rc;

use adlib_shared::api_key::ApiKey;
use adlib_shared::key::{KeyId, NewKey, Rotation};
use adlib_shared::limits::KEY_BODY_BYTES_MAX;
use adlib_shared::problem::{Code, Problem};
use bytes::Bytes;
use http::StatusCode;

use self::shown::Shown;
use super::catalog::json;
use crate::authenticate::{Caller, Key, KeyRecord, RecordError, SECRETS_MAX, Scope, Secrets};
use crate::body;
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::{Failure, RETRY_AFTER_S};
use crate::reply::Reply;
use crate::store::{self, KEYS_MAX, StoredKey};
use crate::world::World;

pub use self::list::{PAGE_KEYS_MAX, list};

/// The path of all keys; one has its id behind it.
pub const PATH: &str = "/admin/keys";
/// What stands behind an id where the key is given another secret.
pub const ROTATE: &str = "/rotate";
/// How often a rotation begins anew because another one came between.
const ROTATIONS_MAX: usize = 3;

/// `POST`: makes a key.
///
/// # Errors
/// `forbidden`, what is wrong with the request, or the store's failure: then the key cannot be used, unless the store's
/// answer was lost, and then it is listed.
pub async fn create<W, B>(edge: &Rc<Edge<W>>, call: &Call, caller: &Caller, body: B) -> Result<Reply, Failure>
where
    W: World,
    B: http_body::Body<Data = Bytes>,
{
    caller.require(Scope::Admin)?;
    let bytes = body::json(call.headers(), body, KEY_BODY_BYTES_MAX).await?;
    let wanted = NewKey::parse(&bytes, call.now_s())?;
    let id = KeyId(((edge.world.entropy() >> 64) as u64).to_be_bytes());
    let secret = ApiKey::with_id(wanted.kind, id, edge.world.entropy().to_be_bytes());
    let hash = edge.settings()?.keyring.hash(&secret);
    let record = KeyRecord::new(wanted, call.now_s());
    let key = Key { record, secrets: Secrets::new(hash, call.now_s()) };
    let stored = key.to_stored().map_err(unreadable)?;
    let new = store::NewKey { id, tenant: &key.record.tenant, key: &stored };
    if !edge.store.add_key(new).await? {
        let detail = format!("there are {KEYS_MAX} keys, which is as many as are kept; revoke some first");
        return Err(Failure::new(Code::Overloaded, detail));
    }
    let shown = json(&Shown::of(id, &key, call.now_s()).with_secret(&secret))?;
    Ok(Reply { status: StatusCode::CREATED, ..shown })
}

/// `GET` of one: the key without its secrets.
///
/// # Errors
/// `forbidden`, `not_found`, or the store's failure.
pub async fn show<W: World>(edge: &Rc<Edge<W>>, call: &Call, caller: &Caller) -> Result<Reply, Failure> {
    caller.require(Scope::Admin)?;
    let id = id(call).ok_or_else(unknown)?;
    let stored = edge.store.key(id).await?.ok_or_else(unknown)?;
    let key = Key::parse(&stored).map_err(unreadable)?;
    json(&Shown::of(id, &key, call.now_s()))
}

/// `POST …/rotate`: gives the key another secret, beside which those before it are taken for a while.
///
/// # Errors
/// `forbidden`, `not_found`, what is wrong with the request, or the store's failure: then the secrets are those before,
/// unless the store's answer was lost, and then one more is listed.
pub async fn rotate<W, B>(edge: &Rc<Edge<W>>, call: &Call, caller: &Caller, body: B) -> Result<Reply, Failure>
where
    W: World,
    B: http_body::Body<Data = Bytes>,
{
    caller.require(Scope::Admin)?;
    let bytes = body::json(call.headers(), body, KEY_BODY_BYTES_MAX).await?;
    let Rotation { overlap_s, .. } = Rotation::parse(&bytes)?;
    let id = id(call).ok_or_else(unknown)?;
    for _ in 0..ROTATIONS_MAX {
        let before = edge.store.key(id).await?.ok_or_else(unknown)?;
        let Key { record, secrets } = Key::parse(&before).map_err(unreadable)?;
        if record.has_expired(call.now_s()) {
            return Err(Failure::new(
                Code::InvalidField,
                "the key has expired, and no secret makes it valid again",
            ));
        }
        let secret = ApiKey::with_id(record.kind, id, edge.world.entropy().to_be_bytes());
        let hash = edge.settings()?.keyring.hash(&secret);
        let secrets = secrets.rotate(hash, call.now_s(), overlap_s).ok_or_else(too_many)?;
        let key = Key { record, secrets };
        let StoredKey { secrets, .. } = key.to_stored().map_err(unreadable)?;
        let is_changed = edge.store.change_secrets(id, &before.secrets, &secrets).await;
        // Whether a failure came before the change or after it is not known.
        edge.keys.forget(id);
        if is_changed? {
            return json(&Shown::of(id, &key, call.now_s()).with_secret(&secret));
        }
    }
    let problem = Problem::new(Code::Overloaded, "the key is being rotated by somebody else");
    Err(problem.with_retry_after_s(RETRY_AFTER_S).into())
}

/// `DELETE`: revokes the key. This instance refuses it at once, others when they read it again.
///
/// # Errors
/// `forbidden`, `not_found`, or the store's failure: then it has to be tried again.
pub async fn revoke<W: World>(edge: &Rc<Edge<W>>, call: &Call, caller: &Caller) -> Result<Reply, Failure> {
    caller.require(Scope::Admin)?;
    let id = id(call).ok_or_else(unknown)?;
    let was_there = edge.store.remove_key(id).await;
    edge.keys.forget(id);
    if was_there? { Ok(Reply::no_content()) } else { Err(unknown()) }
}

/// The id in the path.
fn id(call: &Call) -> Option<KeyId> {
    let rest = call.head.uri.path().strip_prefix(PATH)?.strip_prefix('/')?;
    KeyId::parse(rest.strip_suffix(ROTATE).unwrap_or(rest))
}

fn unknown() -> Failure {
    Failure::new(Code::NotFound, "no key of the store has this id")
}

fn too_many() -> Failure {
    let detail = format!(
        "overlap_s has to be 0, or a secret has to end first: {SECRETS_MAX} secrets of the key are taken already"
    );
    Failure::new(Code::InvalidField, detail)
}

fn unreadable(error: RecordError) -> Failure {
    Failure::new(Code::Internal, "the record of the key cannot be read").because(error)
}

#[cfg(test)]
mod tests;

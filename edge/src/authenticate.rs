//! Who asks: a bearer key (RFC 6750), looked up by its keyed hash, or a bearer token of an issuer that is trusted.

pub mod issuer_keys;
pub mod key_set;
mod keys;
pub mod public_key;
mod record;
mod secrets;
pub mod token;
pub mod verified;

use std::rc::Rc;

use adlib_shared::api_key::{ApiKey, ApiKeyError};
pub use adlib_shared::key::{KeyId, KeyLimits, Scope};
use adlib_shared::problem::{Code, Problem};
use http::HeaderMap;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};

pub use self::issuer_keys::IssuerKeys;
pub use self::keys::{KNOWN_KEYS_MAX, KNOWN_MS_MAX, Key, Keys};
pub use self::record::{KeyRecord, RecordError};
pub use self::secrets::{SECRETS_MAX, Secret, Secrets};
use self::token::{Claims, Token, TokenError};
pub use self::verified::Verified;
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::{Failure, RETRY_AFTER_S};
use crate::keyring::Keyring;
use crate::settings::{Issuer, Settings};
use crate::store::Store;
use crate::world::{StoreError, World};

/// Who asks, and what the key allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose key it is.
    pub tenant: String,
    /// The name of the key.
    pub name: String,
    /// Which key it is: what is counted and blocked.
    pub key: KeyId,
    /// What the key may be used for.
    pub scopes: Vec<Scope>,
    /// How much the key may be used.
    pub limits: KeyLimits,
}

impl Caller {
    /// Checks that the key may be used for something.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn require(&self, scope: Scope) -> Result<(), Failure> {
        self.require_one_of(&[scope])
    }

    /// Checks that the key may be used for one of several things.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn require_one_of(&self, scopes: &[Scope]) -> Result<(), Failure> {
        if scopes.iter().any(|scope| self.scopes.contains(scope)) {
            return Ok(());
        }
        let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let detail = format!("the key does not have the scope {}", words.join(" or "));
        Err(Failure::new(Code::Forbidden, detail))
    }
}

/// Why nobody is known to ask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No key was sent.
    #[error("no key was sent; send Authorization: Bearer <key>")]
    Absent,
    /// What was sent is not a bearer key.
    #[error("the Authorization header does not hold one bearer key")]
    Scheme,
    /// The key has a slip; the store was not asked.
    #[error("the key is malformed: {0}")]
    Malformed(ApiKeyError),
    /// The key is well formed, but nobody's.
    #[error("the key is not known")]
    Unknown,
    /// The key was valid once.
    #[error("the key has expired")]
    Expired,
    /// What was sent is a token, which is not valid.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The keys of the issuer of tokens are not known, so it cannot be said.
    #[error("the keys of the tokens' issuer are not known")]
    NoKeys,
    /// The store failed, so it cannot be said.
    #[error(transparent)]
    Store(StoreError),
    /// What is stored for the key cannot be read.
    #[error(transparent)]
    Record(RecordError),
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        let unauthorized = |challenge| {
            Self::new(Code::Unauthorized, denied.to_string()).with_header(WWW_AUTHENTICATE, challenge)
        };
        match &denied {
            // RFC 6750, section 3.1: no error code for a request that did not try.
            Denied::Absent => unauthorized(r#"Bearer realm="adlib""#),
            Denied::Scheme | Denied::Malformed(_) | Denied::Unknown | Denied::Expired | Denied::Token(_) => {
                unauthorized(r#"Bearer realm="adlib", error="invalid_token""#)
            }
            Denied::NoKeys => {
                let problem = Problem::new(Code::Overloaded, "tokens cannot be verified at the moment");
                problem.with_retry_after_s(RETRY_AFTER_S).into()
            }
            Denied::Store(error) => error.clone().into(),
            Denied::Record(error) => {
                Self::new(Code::Internal, "the record of the key cannot be read").because(error)
            }
        }
    }
}

/// Finds out who asks. What cannot be a key or a token is told from them without input or output.
///
/// # Errors
/// Why nobody is known to ask.
pub async fn identify<W: World>(
    edge: &Rc<Edge<W>>,
    call: &Call,
    settings: &Settings,
) -> Result<Caller, Denied> {
    let text = bearer(call.headers())?;
    match settings.issuer.as_ref().filter(|_| Token::is_like(text)) {
        // Apart, so that requests with a key are no larger for it.
        Some(issuer) => Box::pin(by_token(edge, call, &settings.keyring, issuer, text)).await,
        None => by_key(text, &settings.keyring, &edge.keys, &*edge.store, call.now_ms).await,
    }
}

/// The bearer of a token. Only one that can be valid lets the issuer's keys be fetched.
async fn by_token<W: World>(
    edge: &Rc<Edge<W>>,
    call: &Call,
    keyring: &Keyring,
    issuer: &Issuer,
    text: &str,
) -> Result<Caller, Denied> {
    let token = Token::parse(text, issuer, call.now_s())?;
    let key = edge.issuer_keys.find(edge, call, &token.key_id).await?;
    let Claims { subject, tenant, scopes } = token.verify(&key, &edge.verified)?;
    let key = keyring.id_of_bearer(&issuer.name, &tenant, &subject);
    Ok(Caller { tenant, name: subject, key, scopes, limits: KeyLimits::default() })
}

/// The holder of a key. The store is asked only for one whose checksum holds, that the variable does not know, and that
/// says which one it is.
async fn by_key(
    text: &str,
    keyring: &Keyring,
    keys: &Keys,
    store: &dyn Store,
    now_ms: u64,
) -> Result<Caller, Denied> {
    let key = ApiKey::parse(text).map_err(Denied::Malformed)?;
    let hash = keyring.hash(&key);
    if let Some(known) = keyring.find(&hash) {
        return Ok(Caller {
            tenant: known.tenant.clone(),
            name: known.name.clone(),
            key: hash.id(),
            scopes: known.scopes.clone(),
            limits: KeyLimits::default(),
        });
    }
    let id = key.id().ok_or(Denied::Unknown)?;
    let found = keys.find(store, id, &hash, now_ms).await?.ok_or(Denied::Unknown)?;
    if found.record.has_expired(now_ms / 1000) {
        return Err(Denied::Expired);
    }
    let KeyRecord { tenant, name, scopes, limits, .. } = found.record.clone();
    Ok(Caller { tenant, name, key: id, scopes, limits })
}

/// The bearer token of the one `Authorization` header.
fn bearer(headers: &HeaderMap) -> Result<&str, Denied> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Denied::Absent)?;
    if values.next().is_some() {
        return Err(Denied::Scheme);
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Denied::Scheme)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Denied::Scheme) }
}

#[cfg(test)]
mod tests;

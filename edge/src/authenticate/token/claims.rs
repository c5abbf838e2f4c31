//! What a token says of its bearer.

use std::collections::BTreeMap;

use adlib_shared::json::Node;
use adlib_shared::key::is_name;

use super::{TokenError, text_of};
use crate::authenticate::Scope;
use crate::settings::Issuer;

/// How far the clocks of issuer and edge may be apart, in seconds.
pub const CLOCK_LEEWAY_S: u64 = 30;
/// Longest subject, in bytes (OpenID Connect Core 1.0, section 2).
pub const SUBJECT_BYTES_MAX: usize = 255;

/// The claims that count here. Others are not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// For whom it was made (`sub`).
    pub subject: String,
    /// Whose tenant that is.
    pub tenant: String,
    /// Those of ours among its scopes (`scope`; RFC 8693, section 4.2).
    pub scopes: Vec<Scope>,
}

impl Claims {
    /// Reads the claims of a token that is of this issuer, for us, and valid at this time.
    pub(super) fn read(
        members: &BTreeMap<String, Node>,
        issuer: &Issuer,
        now_s: u64,
    ) -> Result<Self, TokenError> {
        let text = |name: &str| text_of(members, name);
        if text("iss").ok_or(TokenError::Claim("iss"))? != issuer.name {
            return Err(TokenError::Issuer);
        }
        let tenant = text(&issuer.tenant_claim).filter(|tenant| is_name(tenant));
        let tenant = tenant.ok_or(TokenError::Claim("of the tenant"))?;
        let subject = text("sub").filter(|subject| is_subject(subject)).ok_or(TokenError::Claim("sub"))?;
        if !audience_holds(members, &issuer.audience)? {
            return Err(TokenError::Audience);
        }
        check_times(members, now_s)?;
        let scopes = match members.get("scope") {
            None => Vec::new(),
            Some(Node::Text(scopes)) => ours(scopes),
            Some(_) => return Err(TokenError::Claim("scope")),
        };
        Ok(Self { subject: subject.to_owned(), tenant: tenant.to_owned(), scopes })
    }
}

/// Whether a text can name a caller in the log.
fn is_subject(text: &str) -> bool {
    (1..=SUBJECT_BYTES_MAX).contains(&text.len()) && !text.chars().any(adlib_shared::text::is_refused)
}

/// Whether a token is for this audience, and possibly for others too (RFC 7519, section 4.1.3).
fn audience_holds(members: &BTreeMap<String, Node>, audience: &str) -> Result<bool, TokenError> {
    let is_ours = |node: &Node| matches!(node, Node::Text(text) if text == audience);
    match members.get("aud") {
        Some(node @ Node::Text(_)) => Ok(is_ours(node)),
        Some(Node::List(list)) if list.iter().all(|node| matches!(node, Node::Text(_))) => {
            Ok(list.iter().any(is_ours))
        }
        _ => Err(TokenError::Claim("aud")),
    }
}

/// A token has to expire. It may say when it was made and from when on it holds.
fn check_times(members: &BTreeMap<String, Node>, now_s: u64) -> Result<(), TokenError> {
    let expires_s = time(members, "exp")?.ok_or(TokenError::Claim("exp"))?;
    if now_s >= expires_s.saturating_add(CLOCK_LEEWAY_S) {
        return Err(TokenError::Expired);
    }
    for name in ["nbf", "iat"] {
        if time(members, name)?.is_some_and(|from_s| from_s > now_s.saturating_add(CLOCK_LEEWAY_S)) {
            return Err(TokenError::NotYet);
        }
    }
    Ok(())
}

/// A time in seconds since 1970, which may have a fraction (RFC 7519, section 2).
fn time(members: &BTreeMap<String, Node>, name: &'static str) -> Result<Option<u64>, TokenError> {
    match members.get(name) {
        None => Ok(None),
        Some(Node::Unsigned(seconds)) => Ok(Some(*seconds)),
        Some(Node::Number(seconds)) if *seconds >= 0.0 => Ok(Some(*seconds as u64)),
        Some(_) => Err(TokenError::Claim(name)),
    }
}

/// Those of ours among the scopes, each once. A token may have others for other services.
fn ours(list: &str) -> Vec<Scope> {
    let mut scopes = Vec::new();
    for scope in list.split(' ').filter_map(Scope::from_word) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    scopes
}

//! A JSON Web Token (RFC 7519), signed, in its compact form (RFC 7515), with the care that RFC 8725 asks for. It is read and
//! its claims are checked before its key is looked for, so that what cannot be valid costs nothing; nobody learns what it
//! says before its signature has been verified.

mod claims;
#[cfg(test)]
pub(crate) mod signer;

use std::collections::BTreeMap;

use adlib_shared::json::Node;
use data_encoding::BASE64URL_NOPAD;

pub use self::claims::{CLOCK_LEEWAY_S, Claims, SUBJECT_BYTES_MAX};
use super::key_set::KEY_ID_BYTES_MAX;
use super::public_key::{Algorithm, PublicKey, SIGNATURE_BYTES};
use super::verified::Verified;
use crate::settings::Issuer;

/// Longest token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Why a token is not taken. Nothing of it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is too long.
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// It is not three parts in base64url.
    #[error("the token is not three parts in base64url without padding")]
    Form,
    /// One of its two documents is not a JSON object with distinct names.
    #[error("the {0} of the token is not a JSON object within the limits")]
    Json(&'static str),
    /// It is signed in a way that is not known, or not at all.
    #[error("the token is not signed with EdDSA or ES256")]
    Algorithm,
    /// It does not say by which key it is signed.
    #[error("the token has no kid of 1 to {KEY_ID_BYTES_MAX} bytes")]
    KeyId,
    /// It is of a type that is not for authorization, or has to be understood in a way that is not known.
    #[error("the token is of a type that is not taken")]
    Type,
    /// A claim that is needed is missing, or one is not of its form.
    #[error("the claim {0} of the token is missing or not of its form")]
    Claim(&'static str),
    /// Another issuer made it.
    #[error("the token is of another issuer")]
    Issuer,
    /// It is meant for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// It was valid once.
    #[error("the token has expired")]
    Expired,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYet,
    /// The issuer does not publish its key, or publishes it for something else.
    #[error("the token's key is none that its issuer publishes for EdDSA or ES256")]
    UnknownKey,
    /// Its key is for another algorithm than it names.
    #[error("the token names another algorithm than that of its key")]
    OtherAlgorithm,
    /// The signature is not that of its key over what it says.
    #[error("the signature of the token does not hold")]
    Signature,
}

/// A token that has been read but not verified.
#[derive(Debug)]
pub struct Token<'a> {
    /// The name of the key that it says it is signed by.
    pub key_id: String,
    algorithm: Algorithm,
    claims: Claims,
    text: &'a str,
    /// What is signed: the first two parts as they came.
    signed: &'a str,
    signature: [u8; SIGNATURE_BYTES],
}

impl<'a> Token<'a> {
    /// Whether a text can only be a token: an API key has no dots.
    pub fn is_like(text: &str) -> bool {
        text.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Reads a token, and checks that it is of this issuer, for us, and valid at this time.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &'a str, issuer: &Issuer, now_s: u64) -> Result<Self, TokenError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Form)?;
        let signature = decode(signature)?.try_into().map_err(|_| TokenError::Form)?;
        let header = object("header", header)?;
        let algorithm = text_of(&header, "alg").and_then(Algorithm::from_name);
        let algorithm = algorithm.ok_or(TokenError::Algorithm)?;
        if !is_for_authorization(&header) {
            return Err(TokenError::Type);
        }
        let key_id = text_of(&header, "kid").filter(|id| (1..=KEY_ID_BYTES_MAX).contains(&id.len()));
        let key_id = key_id.ok_or(TokenError::KeyId)?.to_owned();
        let claims = Claims::read(&object("payload", claims)?, issuer, now_s)?;
        Ok(Self { key_id, algorithm, claims, text, signed, signature })
    }

    /// What the token says, if the key has signed it. One that was verified before is remembered.
    ///
    /// # Errors
    /// [`TokenError::OtherAlgorithm`] or [`TokenError::Signature`].
    pub fn verify(self, key: &PublicKey, verified: &Verified) -> Result<Claims, TokenError> {
        if key.algorithm() != self.algorithm {
            return Err(TokenError::OtherAlgorithm);
        }
        let verify = || key.verify(self.signed.as_bytes(), &self.signature);
        if verified.check(self.text, key, verify) { Ok(self.claims) } else { Err(TokenError::Signature) }
    }
}

/// One part of a token. There is one way to write it, so that what is signed is what is read.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| TokenError::Form)
}

fn object(name: &'static str, part: &str) -> Result<BTreeMap<String, Node>, TokenError> {
    match Node::parse(&decode(part)?, TOKEN_BYTES_MAX) {
        Ok(Node::Object(members)) => Ok(members),
        _ => Err(TokenError::Json(name)),
    }
}

pub(super) fn text_of<'m>(members: &'m BTreeMap<String, Node>, name: &str) -> Option<&'m str> {
    match members.get(name)? {
        Node::Text(text) => Some(text),
        _ => None,
    }
}

/// Whether a header is that of a plain token or of an access token (RFC 9068, section 2.1), and asks for nothing more to be
/// understood (RFC 7515, section 4.1.11).
fn is_for_authorization(header: &BTreeMap<String, Node>) -> bool {
    let is_known = |kind: &str| ["jwt", "at+jwt", "application/at+jwt"].contains(&kind);
    let kind = match header.get("typ") {
        None => true,
        Some(Node::Text(kind)) => is_known(&kind.to_ascii_lowercase()),
        Some(_) => false,
    };
    kind && !header.contains_key("crit")
}

#[cfg(test)]
mod tests;

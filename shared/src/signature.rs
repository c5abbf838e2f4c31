//! The signed hop from edge to origin: HTTP message signatures (RFC 9421) with hmac-sha256, and the content digest
//! (RFC 9530) that binds the body.

mod verify;

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use self::verify::{Verified, verify};
use crate::limits::{SIGNATURE_NONCE_BYTES_MAX, SIGNATURE_VALUE_BYTES_MAX};

/// Header that carries the digest of the body.
pub const CONTENT_DIGEST: &str = "content-digest";
/// Header that names the tenant for whom the edge asks.
pub const TENANT: &str = "adlib-tenant";
/// Header that names the request.
pub const REQUEST_ID: &str = "x-request-id";
/// Header that says what is signed.
pub const SIGNATURE_INPUT: &str = "signature-input";
/// Header that carries the signature.
pub const SIGNATURE: &str = "signature";

/// The label of the signature in both of its headers.
const LABEL: &str = "adlib";
/// The covered components, as `signature-input` lists them.
const COMPONENTS: &str = r#"("@method" "@path" "content-digest" "adlib-tenant" "x-request-id")"#;
const ALGORITHM: &str = "hmac-sha256";

/// What a signature covers, as the request carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path, without query.
    pub path: &'a str,
    /// The value of `content-digest`.
    pub content_digest: &'a str,
    /// The value of `adlib-tenant`.
    pub tenant: &'a str,
    /// The value of `x-request-id`.
    pub request_id: &'a str,
}

/// Why a request is not signed, or its signature not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A covered value is empty, too long, or holds something else than visible ASCII.
    #[error("the value of {0} cannot be signed")]
    Value(&'static str),
    /// The nonce is empty, too long, or holds something else than letters, digits, `-` and `_`.
    #[error("the nonce is not 1 to {SIGNATURE_NONCE_BYTES_MAX} letters, digits, hyphens and underscores")]
    Nonce,
    /// `signature-input` or `signature` is not of the one form that this hop uses.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// The key id is that of none of the secrets.
    #[error("the signature names no known key")]
    UnknownKey,
    /// `created` lies too far in the past or the future.
    #[error("the signature was created outside the window")]
    Window,
    /// The signature is not that of these parts.
    #[error("the signature does not hold")]
    Mismatch,
    /// The digest is not that of the body.
    #[error("the content digest does not hold")]
    Digest,
}

/// A secret that edge and origin share, with the id by which a signature names it.
#[derive(Clone)]
pub struct Secret {
    bytes: Vec<u8>,
    id: String,
}

impl Secret {
    /// The id follows from the bytes, so that configuration holds nothing but the secret itself.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let id = HEXLOWER.encode(&mac(&bytes, b"adlib signature key id")[..8]);
        Self { bytes, id }
    }

    /// The id: 16 hex digits that tell nothing about the secret.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({})", self.id)
    }
}

/// The two header values of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The value of `signature-input`.
    pub input: String,
    /// The value of `signature`.
    pub signature: String,
}

/// Signs the parts, at `created` (seconds since 1970) with a nonce that is never used twice.
///
/// # Errors
/// A part or the nonce that cannot stand in the signature base.
pub fn sign(
    secret: &Secret,
    parts: &Parts<'_>,
    created_s: u64,
    nonce: &str,
) -> Result<Signed, SignatureError> {
    check_nonce(nonce)?;
    let params = params(created_s, nonce, &secret.id);
    let tag = mac(&secret.bytes, base(parts, &params)?.as_bytes());
    let input = format!("{LABEL}={params}");
    Ok(Signed { input, signature: format!("{LABEL}=:{}:", BASE64.encode(&tag)) })
}

/// The value of `content-digest` for a body (RFC 9530, section 2).
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", BASE64.encode(&Sha256::digest(body)))
}

/// Holds the body against the value of `content-digest`.
///
/// # Errors
/// [`SignatureError::Digest`] where it is the digest of something else.
pub fn verify_content_digest(value: &str, body: &[u8]) -> Result<(), SignatureError> {
    let expected = content_digest(body);
    if bool::from(expected.as_bytes().ct_eq(value.as_bytes())) { Ok(()) } else { Err(SignatureError::Digest) }
}

/// The signature parameters (RFC 9421, section 2.3).
fn params(created_s: u64, nonce: &str, key_id: &str) -> String {
    format!(r#"{COMPONENTS};created={created_s};nonce="{nonce}";keyid="{key_id}";alg="{ALGORITHM}""#)
}

/// The signature base (RFC 9421, section 2.5): one line per component, then the parameters.
fn base(parts: &Parts<'_>, params: &str) -> Result<String, SignatureError> {
    let Parts { method, path, content_digest, tenant, request_id } = *parts;
    let components = [
        ("@method", method),
        ("@path", path),
        (CONTENT_DIGEST, content_digest),
        (TENANT, tenant),
        (REQUEST_ID, request_id),
    ];
    let mut lines = Vec::with_capacity(components.len() + 1);
    for (name, value) in components {
        check_value(name, value)?;
        lines.push(format!("\"{name}\": {value}"));
    }
    lines.push(format!("\"@signature-params\": {params}"));
    Ok(lines.join("\n"))
}

/// Only visible ASCII may stand in a line of the base; a line feed in a value would forge the next line.
fn check_value(name: &'static str, value: &str) -> Result<(), SignatureError> {
    let fits = (1..=SIGNATURE_VALUE_BYTES_MAX).contains(&value.len());
    if fits && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(SignatureError::Value(name))
    }
}

fn check_nonce(nonce: &str) -> Result<(), SignatureError> {
    let fits = (1..=SIGNATURE_NONCE_BYTES_MAX).contains(&nonce.len());
    let holds = nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if fits && holds { Ok(()) } else { Err(SignatureError::Nonce) }
}

fn mac(secret: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

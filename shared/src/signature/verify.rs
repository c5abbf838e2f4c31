//! Verifies a signature against the secrets that are valid at the time.

use data_encoding::BASE64;
use subtle::ConstantTimeEq;

use super::{ALGORITHM, COMPONENTS, LABEL, Parts, Secret, SignatureError, base, check_nonce, mac, params};
use crate::limits::{SIGNATURE_INPUT_BYTES_MAX, SIGNATURE_WINDOW_S};

/// Characters of base64 that the 32 bytes of a tag take; anything else is not decoded at all.
const TAG_CHARS: usize = 44;

/// What a valid signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// When it was made, in seconds since 1970.
    pub created_s: u64,
    /// Its nonce. Whoever must not serve a request twice remembers it for twice [`SIGNATURE_WINDOW_S`].
    pub nonce: String,
    /// The id of the secret that made it.
    pub key_id: String,
}

/// Verifies the two header values against the parts of the request, at `now_s` by the verifier's clock.
///
/// `secrets` holds one secret, or two while one replaces the other. The body is not looked at here:
/// [`verify_content_digest`](super::verify_content_digest) binds it.
///
/// # Errors
/// Whatever of [`SignatureError`] is the matter. Only the one form that [`sign`](super::sign) writes is taken.
pub fn verify(
    secrets: &[Secret],
    parts: &Parts<'_>,
    input: &str,
    signature: &str,
    now_s: u64,
) -> Result<Verified, SignatureError> {
    let (created_s, nonce, key_id) = read_input(input).ok_or(SignatureError::Malformed("signature-input"))?;
    check_nonce(nonce)?;
    let tag = read_signature(signature).ok_or(SignatureError::Malformed("signature"))?;
    let secret = secrets.iter().find(|secret| secret.id() == key_id).ok_or(SignatureError::UnknownKey)?;
    let expected = mac(&secret.bytes, base(parts, &params(created_s, nonce, key_id))?.as_bytes());
    if !bool::from(expected.ct_eq(&tag)) {
        return Err(SignatureError::Mismatch);
    }
    if created_s.abs_diff(now_s) > SIGNATURE_WINDOW_S {
        return Err(SignatureError::Window);
    }
    Ok(Verified { created_s, nonce: nonce.to_owned(), key_id: key_id.to_owned() })
}

/// The parameters of the one form that is taken.
fn read_input(input: &str) -> Option<(u64, &str, &str)> {
    if input.len() > SIGNATURE_INPUT_BYTES_MAX {
        return None;
    }
    let rest = input.strip_prefix(LABEL)?.strip_prefix('=')?.strip_prefix(COMPONENTS)?;
    let (created, rest) = rest.strip_prefix(";created=")?.split_once(';')?;
    let (nonce, rest) = rest.strip_prefix("nonce=\"")?.split_once('"')?;
    let (key_id, rest) = rest.strip_prefix(";keyid=\"")?.split_once('"')?;
    let algorithm = rest.strip_prefix(";alg=\"")?.strip_suffix('"')?;
    // A number has one way to be written, so that what is verified is what was sent.
    let created_s: u64 = created.parse().ok().filter(|number: &u64| number.to_string() == created)?;
    (algorithm == ALGORITHM).then_some((created_s, nonce, key_id))
}

fn read_signature(signature: &str) -> Option<[u8; 32]> {
    let encoded = signature.strip_prefix(LABEL)?.strip_prefix("=:")?.strip_suffix(':')?;
    if encoded.len() != TAG_CHARS {
        return None;
    }
    BASE64.decode(encoded.as_bytes()).ok()?.try_into().ok()
}

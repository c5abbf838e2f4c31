//! The public keys of an issuer of tokens. The algorithm is the key's: a token can only name the same one.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::VerifyingKey as Ed25519Key;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature as P256Signature, VerifyingKey as P256Key};

/// Bytes of a signature of either algorithm (RFC 8037, section 3.1; RFC 7518, section 3.4).
pub const SIGNATURE_BYTES: usize = 64;

/// How a token is signed (RFC 7518, section 3.1). There are no others: none without a signature, and none whose secret the
/// edge would have to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    Es256,
}

/// A key that verifies signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// For [`Algorithm::EdDsa`].
    Ed25519(Ed25519Key),
    /// For [`Algorithm::Es256`].
    P256(P256Key),
}

impl Algorithm {
    /// Reads a name. `Ed25519` is the newer one of `EdDSA` with this curve (RFC 9864, section 2.2).
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

impl PublicKey {
    /// An Ed25519 key from its coordinate in base64url (RFC 8037, section 2); none of small order, under which one
    /// signature could hold for many texts.
    pub fn ed25519(x: &str) -> Option<Self> {
        let key = Ed25519Key::from_bytes(&decode(x)?).ok()?;
        (!key.is_weak()).then_some(Self::Ed25519(key))
    }

    /// A P-256 key from its coordinates in base64url (RFC 7518, section 6.2.1), if they are a point of the curve.
    pub fn p256(x: &str, y: &str) -> Option<Self> {
        let uncompressed = [&[4][..], &decode::<32>(x)?, &decode::<32>(y)?].concat();
        P256Key::from_sec1_bytes(&uncompressed).ok().map(Self::P256)
    }

    /// The algorithm that the key is for.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::P256(_) => Algorithm::Es256,
        }
    }

    /// The key as bytes: 32 of Ed25519, 33 of P-256.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.as_bytes().to_vec(),
            Self::P256(key) => key.to_sec1_point(true).as_bytes().to_vec(),
        }
    }

    /// Whether a signature is that of the text.
    pub fn verify(&self, text: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        match self {
            Self::Ed25519(key) => key.verify_strict(text, &signature.into()).is_ok(),
            Self::P256(key) => P256Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(text, &signature).is_ok()),
        }
    }
}

/// So many bytes in base64url without padding, which is the one way to write them.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the signature of RFC 8037, appendix A.
    const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const ED25519_TEXT: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    const ED25519_SIGNATURE: &str =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    /// The key and the signature of RFC 7515, appendix A.3.
    const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    const P256_TEXT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const P256_SIGNATURE: &str =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    #[test]
    fn the_signatures_of_the_rfcs_hold_and_no_bit_of_them_can_change() {
        let ed25519 = PublicKey::ed25519(ED25519_X).expect("a key");
        let p256 = PublicKey::p256(P256_X, P256_Y).expect("a key");
        for (key, text, signature) in
            [(&ed25519, ED25519_TEXT, ED25519_SIGNATURE), (&p256, P256_TEXT, P256_SIGNATURE)]
        {
            let signature = decode::<SIGNATURE_BYTES>(signature).expect("a signature");
            assert!(key.verify(text.as_bytes(), &signature));
            for bit in 0..SIGNATURE_BYTES * 8 {
                let mut changed = signature;
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(!key.verify(text.as_bytes(), &changed), "{:?}, bit {bit}", key.algorithm());
            }
            assert!(!key.verify(&text.as_bytes()[1..], &signature));
            assert!(!key.verify(text.as_bytes(), &[0; SIGNATURE_BYTES]));
        }
        let signature = decode(P256_SIGNATURE).expect("a signature");
        assert!(!ed25519.verify(P256_TEXT.as_bytes(), &signature), "the key of another algorithm");
    }

    #[test]
    fn what_is_no_point_of_its_curve_or_a_weak_one_is_no_key() {
        let neutral = BASE64URL_NOPAD.encode(&[&[1][..], &[0; 31]].concat());
        for x in ["", "AA", &ED25519_X[1..], &format!("{ED25519_X}="), &neutral] {
            assert_eq!(PublicKey::ed25519(x), None, "{x}");
        }
        for (x, y) in [(P256_X, P256_X), (P256_X, ""), (P256_X, &format!("{P256_Y}A")), (P256_Y, P256_X)] {
            assert_eq!(PublicKey::p256(x, y), None, "{x} {y}");
        }
    }
}

//! An issuer in tests: makes tokens, good ones and others.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::Signer as _;
use ed25519_dalek::SigningKey as Ed25519;
use p256::ecdsa::{Signature, SigningKey as P256};
use serde_json::{Value, json};

use crate::settings::Issuer;

/// When the tests' tokens are shown, in seconds since 1970.
pub(crate) const NOW_S: u64 = 1_700_000_000;

/// A secret key with its name.
pub(crate) enum Signer {
    /// For `EdDSA`.
    Ed25519(&'static str, Ed25519),
    /// For `ES256`.
    P256(&'static str, P256),
}

impl Signer {
    pub(crate) fn ed25519(name: &'static str, seed: u8) -> Self {
        Self::Ed25519(name, Ed25519::from_bytes(&[seed; 32]))
    }

    pub(crate) fn p256(name: &'static str, seed: u8) -> Self {
        Self::P256(name, P256::from_slice(&[seed; 32]).expect("a scalar of the curve"))
    }

    /// The header of a token.
    pub(crate) fn header(&self) -> Value {
        match self {
            Self::Ed25519(name, _) => json!({ "alg": "EdDSA", "kid": name }),
            Self::P256(name, _) => json!({ "alg": "ES256", "kid": name }),
        }
    }

    /// The public key as a set has it.
    pub(crate) fn jwk(&self) -> Value {
        match self {
            Self::Ed25519(name, key) => {
                let x = BASE64URL_NOPAD.encode(key.verifying_key().as_bytes());
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": name, "use": "sig", "alg": "EdDSA", "x": x })
            }
            Self::P256(name, key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let [x, y] = [1..33, 33..65].map(|part| BASE64URL_NOPAD.encode(&point.as_bytes()[part]));
                json!({ "kty": "EC", "crv": "P-256", "kid": name, "key_ops": ["verify"], "x": x, "y": y })
            }
        }
    }

    /// A token of these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_of(&self.header().to_string(), &claims.to_string())
    }

    /// A token of these documents, whatever they are.
    pub(crate) fn token_of(&self, header: &str, claims: &str) -> String {
        let signed = [header, claims].map(|part| BASE64URL_NOPAD.encode(part.as_bytes())).join(".");
        let signature = match self {
            Self::Ed25519(_, key) => key.sign(signed.as_bytes()).to_bytes(),
            Self::P256(_, key) => {
                let signature: Signature = key.sign(signed.as_bytes());
                signature.to_bytes().into()
            }
        };
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

/// A set of these keys.
pub(crate) fn key_set(signers: &[&Signer]) -> String {
    json!({ "keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>() }).to_string()
}

/// The claims of a token that is valid, with some of them changed; `null` leaves one out.
pub(crate) fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.example", "aud": "adlib", "sub": "user-1", "tenant": "acme",
        "scope": "openid copy", "iat": NOW_S - 10, "nbf": NOW_S - 10, "exp": NOW_S + 300,
    });
    if let (Some(claims), Value::Object(changes)) = (claims.as_object_mut(), changes) {
        claims.extend(changes);
        claims.retain(|_, value| !value.is_null());
    }
    claims
}

/// The issuer as the edge knows it.
pub(crate) fn issuer() -> Issuer {
    Issuer {
        keys_url: http::Uri::from_static("https://issuer.example/keys"),
        name: "https://issuer.example".to_owned(),
        audience: "adlib".to_owned(),
        tenant_claim: "tenant".to_owned(),
    }
}

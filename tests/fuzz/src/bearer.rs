//! What callers show: API keys and JSON Web Tokens; and the keys that an issuer of tokens publishes.

use adlib_edge::authenticate::key_set::KeySet;
use adlib_edge::authenticate::public_key::PublicKey;
use adlib_edge::authenticate::token::{Claims, Token, TokenError};
use adlib_edge::authenticate::verified::Verified;
use adlib_edge::settings::Issuer;
use adlib_shared::api_key::{ApiKey, Kind};
use adlib_shared::key::is_name;
use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signer, SigningKey};

use crate::{Target, with_a_bit_changed};

pub(crate) const TARGET: Target = Target { name: "bearer", run, seeds, words: WORDS };

const WORDS: &[&str] = &[
    "ck_test_",
    "ck_live_",
    "{\"alg\":\"EdDSA\",\"kid\":\"k\"}",
    "\"alg\":\"ES256\"",
    "\"alg\":\"none\"",
    "\"typ\":\"at+jwt\"",
    "\"crit\":[\"exp\"]",
    "\"iss\":\"i\"",
    "\"aud\":\"a\"",
    "\"aud\":[\"a\"]",
    "\"sub\":\"s\"",
    "\"tenant\":\"t\"",
    "\"scope\":\"copy admin\"",
    "\"exp\":1800000000",
    "\"nbf\":1",
    "\"iat\":1.5",
    "\"keys\":[{",
    "\"kty\":\"OKP\"",
    "\"crv\":\"Ed25519\"",
    "\"kty\":\"EC\"",
    "\"crv\":\"P-256\"",
    "\"kid\":\"k\"",
    "\"use\":\"sig\"",
    "\"key_ops\":[\"verify\"]",
    "\"x\":\"",
    "\"y\":\"",
];
const NOW_S: u64 = 1_700_000_000;
/// Stands between the two documents of a token in an input, where no JSON can have it.
const BETWEEN: u8 = 0;

fn run(input: &[u8]) {
    drop(KeySet::parse(input));
    made(input);
    signed(input);
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(key) = ApiKey::parse(text) {
        assert_eq!(key.expose(), text, "a key is what was sent");
        assert!(!Token::is_like(text), "a key is no token");
    }
    if let Ok(token) = Token::parse(text, &issuer(), NOW_S) {
        assert!(Token::is_like(text));
        assert!(said_by(token, text).is_none_or(|claims| is_name(&claims.tenant)));
    }
}

/// A key that is made is read, and not with a character changed.
fn made(input: &[u8]) {
    let Some((entropy, at)) = input.split_first_chunk::<16>() else { return };
    let key = ApiKey::generate(Kind::Live, *entropy);
    let again = ApiKey::parse(key.expose()).expect("a key that was made is read");
    assert_eq!((again.expose(), again.kind()), (key.expose(), Kind::Live));
    if let Ok(changed) = String::from_utf8(with_a_bit_changed(key.expose().as_bytes(), at)) {
        assert!(ApiKey::parse(&changed).is_err(), "a slip is noticed");
    }
}

/// Two documents, signed as the issuer would: if they are a token it verifies, and not with a bit changed.
fn signed(input: &[u8]) {
    let mut documents = input.splitn(2, |byte| *byte == BETWEEN);
    let (Some(header), Some(claims)) = (documents.next(), documents.next()) else { return };
    let text = [header, claims].map(|part| BASE64URL_NOPAD.encode(part)).join(".");
    let text = format!("{text}.{}", BASE64URL_NOPAD.encode(&secret().sign(text.as_bytes()).to_bytes()));
    let Ok(token) = Token::parse(&text, &issuer(), NOW_S) else { return };
    let said = said_by(token, &text);
    let changed = with_a_bit_changed(text.as_bytes(), input);
    if let Ok(changed) = String::from_utf8(changed)
        && let Ok(token) = Token::parse(&changed, &issuer(), NOW_S)
    {
        assert!(said.is_none() || said_by(token, &changed).is_none(), "a changed bit is noticed");
    }
}

/// What a token says that the issuer's key has signed. Of a token for another algorithm nothing is believed.
fn said_by(token: Token<'_>, text: &str) -> Option<Claims> {
    let key = PublicKey::Ed25519(secret().verifying_key());
    match token.verify(&key, &Verified::default()) {
        Ok(claims) => {
            let (signed, signature) = text.rsplit_once('.').expect("a token has parts");
            let expected = BASE64URL_NOPAD.encode(&secret().sign(signed.as_bytes()).to_bytes());
            assert_eq!(signature, expected, "what verifies was signed by the key");
            assert!(is_name(&claims.tenant), "a tenant has a name");
            Some(claims)
        }
        Err(error) => {
            assert!(matches!(error, TokenError::OtherAlgorithm | TokenError::Signature), "{error}");
            None
        }
    }
}

fn secret() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn issuer() -> Issuer {
    Issuer {
        keys_url: http::Uri::from_static("https://issuer.example/keys"),
        name: "i".to_owned(),
        audience: "a".to_owned(),
        tenant_claim: "tenant".to_owned(),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let header = r#"{"alg":"EdDSA","kid":"k"}"#;
    let claims = r#"{"iss":"i","aud":"a","sub":"s","tenant":"t","scope":"copy","exp":1800000000}"#;
    let text = [header, claims].map(|part| BASE64URL_NOPAD.encode(part.as_bytes())).join(".");
    let token = format!("{text}.{}", BASE64URL_NOPAD.encode(&secret().sign(text.as_bytes()).to_bytes()));
    let x = BASE64URL_NOPAD.encode(secret().verifying_key().as_bytes());
    let keys = [
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","use":"sig","x":"{x}"}}]}}"#),
        r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#.to_owned(),
    ];
    let key = ApiKey::generate(Kind::Test, [5; 16]).expose().to_owned();
    let documents = format!("{header}\0{claims}");
    [key, token, documents].into_iter().chain(keys).map(String::into_bytes).collect()
}

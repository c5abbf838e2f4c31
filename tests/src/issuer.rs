//! An issuer of JSON Web Tokens: it signs them, and publishes its keys on loopback.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::Signer as _;
use ed25519_dalek::SigningKey as Ed25519;
use p256::ecdsa::{Signature, SigningKey as P256};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// For whom its tokens are.
const AUDIENCE: &str = "adlib";
const NAME: &str = "https://issuer.example";

/// A secret key of the issuer, of one of the two kinds that the edge takes.
#[derive(Debug, Clone)]
pub enum IssuerKey {
    /// Signs with `EdDSA`.
    Ed25519(Box<Ed25519>),
    /// Signs with `ES256`.
    P256(Box<P256>),
}

/// A running issuer. Dropping it ends its server.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    published: Arc<Mutex<Vec<(String, IssuerKey)>>>,
    asked: Arc<AtomicUsize>,
    server: AbortHandle,
}

impl IssuerKey {
    /// An Ed25519 key that is the same in every run.
    pub fn ed25519(seed: u8) -> Self {
        Self::Ed25519(Box::new(Ed25519::from_bytes(&[seed; 32])))
    }

    /// A P-256 key that is the same in every run.
    pub fn p256(seed: u8) -> anyhow::Result<Self> {
        Ok(Self::P256(Box::new(P256::from_slice(&[seed; 32])?)))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "EdDSA",
            Self::P256(_) => "ES256",
        }
    }

    fn jwk(&self, id: &str) -> Value {
        match self {
            Self::Ed25519(key) => {
                let x = BASE64URL_NOPAD.encode(key.verifying_key().as_bytes());
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": x })
            }
            Self::P256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let [x, y] = [1..33, 33..65].map(|part| BASE64URL_NOPAD.encode(&point.as_bytes()[part]));
                json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": y })
            }
        }
    }

    fn sign(&self, text: &str) -> [u8; 64] {
        match self {
            Self::Ed25519(key) => key.sign(text.as_bytes()).to_bytes(),
            Self::P256(key) => {
                let signature: Signature = key.sign(text.as_bytes());
                signature.to_bytes().into()
            }
        }
    }
}

impl Issuer {
    /// Starts an issuer that publishes no key yet.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (published, asked) = <(Arc<Mutex<Vec<_>>>, Arc<AtomicUsize>)>::default();
        let server = tokio::spawn(serve(listener, Arc::clone(&published), Arc::clone(&asked)));
        Ok(Self { url, published, asked, server: server.abort_handle() })
    }

    /// The variables by which an edge trusts it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("jwks_url", self.url.clone()),
            ("jwt_issuer", NAME.to_owned()),
            ("jwt_audience", AUDIENCE.to_owned()),
        ]
    }

    /// Publishes a key beside those that it publishes already.
    pub fn publish(&self, id: &str, key: &IssuerKey) {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        published.push((id.to_owned(), key.clone()));
    }

    /// How often it was asked for its keys.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// A token for a tenant's subject with the scope `copy`, which expires after so many seconds.
    pub fn token(&self, id: &str, key: &IssuerKey, tenant: &str, lasts_s: i64) -> String {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let header = json!({ "alg": key.algorithm(), "kid": id, "typ": "at+jwt" });
        let claims = json!({
            "iss": NAME, "aud": [AUDIENCE], "sub": "subject", "tenant": tenant, "scope": "copy",
            "iat": now_s, "exp": now_s + lasts_s,
        });
        let signed =
            [header, claims].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes())).join(".");
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&key.sign(&signed)))
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Answers each connection with the keys that are published then.
async fn serve(
    listener: TcpListener,
    published: Arc<Mutex<Vec<(String, IssuerKey)>>>,
    asked: Arc<AtomicUsize>,
) {
    while let Ok((mut connection, _)) = listener.accept().await {
        // A request without a body comes in one piece.
        let mut request = [0; 2048];
        let length = connection.read(&mut request).await.unwrap_or_default();
        asked.fetch_add(1, Ordering::Relaxed);
        let is_right = request[..length].starts_with(b"GET /.well-known/jwks.json HTTP/1.1\r\n");
        let keys: Vec<Value> = {
            let published = published.lock().unwrap_or_else(PoisonError::into_inner);
            published.iter().map(|(id, key)| key.jwk(id)).collect()
        };
        let (status, body) =
            if is_right { ("200 OK", json!({ "keys": keys })) } else { ("404 Not Found", Value::Null) };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        drop(connection.write_all(format!("{head}{body}").as_bytes()).await);
    }
}

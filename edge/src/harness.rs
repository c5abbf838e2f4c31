//! What the tests of the whole way of a request have in common: an edge over a world in memory.

use std::rc::Rc;

use adlib_shared::api_key::{ApiKey, Kind};
use adlib_shared::catalog::{List, ModelInfo};
use adlib_shared::copy::Copy;
use adlib_shared::key::{KeyId, KeyLimits, NewKey};
use bytes::Bytes;
use futures::executor::block_on;
use futures::future::join;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use twox_hash::XxHash3_64;

use crate::authenticate::{Key, KeyRecord, Secrets};
use crate::edge::Edge;
use crate::reply::Body;
use crate::settings::Settings;
use crate::store;
use crate::world::SendError;
use crate::world::memory::Memory;
use crate::world::redis_server::RedisServer;

/// When the tests' requests come, in milliseconds since 1970.
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;
const SECRET: &str = "a secret for tests only";

/// An edge, a key that it knows, and the time.
pub(crate) struct Harness {
    pub(crate) edge: Rc<Edge<Memory>>,
    pub(crate) now_ms: u64,
    changes: Vec<(&'static str, &'static str)>,
}

/// A reply, read to its end.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Result<Bytes, SendError>,
}

impl Harness {
    /// An edge with the defaults.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// An edge with some variables changed.
    pub(crate) fn with(changes: &[(&'static str, &'static str)]) -> Self {
        Self::over(Rc::default(), changes.to_vec(), NOW_MS)
    }

    /// An edge whose store is a Redis server of its own.
    pub(crate) fn on_redis(changes: &[(&'static str, &'static str)]) -> Self {
        let world = Memory::with_redis(RedisServer::start());
        let redis = ("redis_url", "redis://127.0.0.1:6379");
        Self::over(Rc::new(world), [changes, &[redis]].concat(), NOW_MS)
    }

    fn over(world: Rc<Memory>, changes: Vec<(&'static str, &'static str)>, now_ms: u64) -> Self {
        let value_of = |name: &str| {
            let changed = changes.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
            changed.map(str::to_owned).or_else(|| match name {
                "key_pepper" | "hop_secret" => Some(SECRET.to_owned()),
                "api_keys" => Some(format!("{}:acme:tests", key().hash(SECRET.as_bytes()).to_hex())),
                _ => None,
            })
        };
        Self { edge: Rc::new(Edge::new(world, Settings::parse(value_of))), now_ms, changes }
    }

    /// The world around the edge.
    pub(crate) fn world(&self) -> &Memory {
        &self.edge.world
    }

    /// A new instance over the same store, as after the last one has ended.
    pub(crate) fn restart(self) -> Self {
        self.apart()
    }

    /// Another instance with its own view of the same store.
    pub(crate) fn apart(&self) -> Self {
        Self::over(Rc::clone(&self.edge.world), self.changes.clone(), self.now_ms)
    }

    /// Another instance beside this one, over a store that both see alike, as Redis is.
    pub(crate) fn beside(&self) -> Self {
        let mut other = self.apart();
        let edge = Rc::get_mut(&mut other.edge).expect("nobody else has it yet");
        edge.store = Rc::clone(&self.edge.store);
        other
    }

    /// Sends a request as it is, and does what is left to do after its reply.
    pub(crate) fn send(&self, request: Request<Bytes>) -> Answered {
        block_on(async {
            let answered = self.answered(request).await;
            self.edge.world.catch_up().await;
            answered
        })
    }

    /// Sends a request that waits for what is left to do after replies.
    pub(crate) fn send_alongside(&self, request: Request<Bytes>) -> Answered {
        let world = &self.edge.world;
        let (answered, ()) = block_on(async { join(self.answered(request), world.catch_up()).await });
        block_on(world.catch_up());
        answered
    }

    /// Sends a request and reads its reply.
    pub(crate) async fn answered(&self, request: Request<Bytes>) -> Answered {
        let response = self.edge.answer(request.map(Full::new), self.now_ms).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes);
        Answered { status: head.status, headers: head.headers, body }
    }

    /// Sends a request with the known key.
    pub(crate) fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Answered {
        self.send(request(&key(), method, path, headers, body))
    }

    /// The same, up to the head of the reply.
    pub(crate) fn begin(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Response<Body> {
        let request = request(&key(), method, path, headers, body);
        block_on(self.edge.answer(request.map(Full::new), self.now_ms))
    }

    /// Sends a request with a key of the store, of this tenant and with this scope.
    pub(crate) fn ask_as(
        &self,
        tenant: &str,
        scope: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Answered {
        let key = self.add_key(tenant, &[scope], KeyLimits::default());
        self.send(request(&key, method, path, &[], body))
    }

    /// Puts a key into the store, the same for the same tenant and scopes.
    pub(crate) fn add_key(&self, tenant: &str, scopes: &[&str], limits: KeyLimits) -> ApiKey {
        let words = scopes.join("+");
        let id = KeyId(XxHash3_64::oneshot(format!("{tenant}:{words}").as_bytes()).to_be_bytes());
        let key = ApiKey::with_id(Kind::Test, id, [7; 16]);
        let new =
            json!({ "tenant": tenant, "name": words, "scopes": scopes, "kind": "test", "limits": limits });
        let new = NewKey::parse(new.to_string().as_bytes(), self.now_ms / 1000).expect("a key");
        let stored = Key {
            record: KeyRecord::new(new, self.now_ms / 1000),
            secrets: Secrets::new(key.hash(SECRET.as_bytes()), self.now_ms / 1000),
        };
        let stored = stored.to_stored().expect("a record");
        let added = self.edge.store.add_key(store::NewKey { id, tenant, key: &stored });
        assert!(block_on(added).expect("a store that works"), "there is room");
        key
    }

    /// Asks for copy.
    pub(crate) fn copy(&self, headers: &[(&str, &str)], brief: &Value) -> Answered {
        self.ask(Method::POST, "/v1/copy", headers, brief)
    }

    /// Lets the origin name its model next.
    pub(crate) fn expect_model(&self, fingerprint: &str) {
        let model = ModelInfo::new("tiny", fingerprint, vec!["en".to_owned()], 2048);
        let list: List<ModelInfo> = std::iter::once(model).collect();
        self.world().expect_body(200, "application/json", serde_json::to_vec(&list).expect("a list"));
    }

    /// Lets the origin answer with a copy next.
    pub(crate) fn expect_copy(&self, copy: &Copy) {
        self.world().expect_body(200, "application/json", serde_json::to_vec(copy).expect("a copy"));
    }
}

impl Answered {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        let body = self.body.as_ref().expect("a whole body");
        serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {body:?}"))
    }

    /// A header as text; empty where it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("visible ASCII"))
    }
}

/// A request with a key.
pub(crate) fn request(
    key: &ApiKey,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Request<Bytes> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {}", key.expose()))
        .header("content-type", "application/json");
    for (name, value) in headers {
        if *name == "content-type" {
            request.headers_mut().and_then(|headers| headers.remove(*name));
        }
        request = request.header(*name, *value);
    }
    request.body(body.to_string().into()).expect("a request")
}

/// The key that the edge knows.
pub(crate) fn key() -> ApiKey {
    ApiKey::generate(Kind::Test, [7; 16])
}

/// A brief that is valid.
pub(crate) fn brief() -> Value {
    json!({ "product": { "name": "Tea", "description": "Green tea from a small garden." }, "channel": "x" })
}

/// A copy of a model.
pub(crate) fn written(fingerprint: &str) -> Copy {
    serde_json::from_value(json!({
        "id": "copy_0123456789abcdefghijkl", "channel": "x", "channel_revision": 1, "language": "en",
        "model": { "id": "tiny", "fingerprint": fingerprint }, "seed": 42,
        "usage": { "prompt_tokens": 180, "cached_tokens": 128, "completion_tokens": 96 },
        "timing_ms": { "queue": 0.2, "prefill": 31.0, "decode": 410.0, "total": 441.9 },
        "variants": [{
            "id": "v1", "fields": { "post": "Green tea from a small garden." }, "checks": [], "ok": true,
            "score": { "total": 0.71, "readability": 0.8, "coverage": 0.66, "distinctness": 0.7,
                       "faithfulness": 1.0, "repetition": 0.0 },
        }],
        "best": "v1",
    }))
    .expect("a copy")
}

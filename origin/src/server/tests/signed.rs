//! Where a secret is configured, only what the edge has signed gets through, and only once.

use std::time::{SystemTime, UNIX_EPOCH};

use adlib_shared::limits::SIGNATURE_WINDOW_S;
use adlib_shared::signature::{self, Parts, Secret};
use futures::stream;
use reqwest::{Client, RequestBuilder, StatusCode};
use tokio::sync::mpsc;

use super::harness::{HTTP, Running, brief, whole};
use crate::settings::secret::HopSecrets;

const SECRET: &str = "the secret of this hop, 32 bytes or more";
const PREVIOUS: &str = "the secret before it, 32 bytes or more too";

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What an edge sends.
struct Sent {
    secret: &'static str,
    tenant: &'static str,
    body: String,
    created_s: u64,
    nonce: &'static str,
}

fn sent(nonce: &'static str) -> Sent {
    Sent { secret: SECRET, tenant: "acme", body: brief().to_string(), created_s: now_s(), nonce }
}

impl Sent {
    fn request(&self, server: &Running) -> RequestBuilder {
        let digest = signature::content_digest(self.body.as_bytes());
        let parts = Parts {
            method: "POST",
            path: "/v1/copy",
            content_digest: &digest,
            tenant: self.tenant,
            request_id: "request-1",
        };
        let signed = signature::sign(&Secret::new(self.secret), &parts, self.created_s, self.nonce).unwrap();
        Client::new()
            .post(format!("{}/v1/copy", server.base))
            .header("content-type", "application/json")
            .header(signature::CONTENT_DIGEST, &digest)
            .header(signature::TENANT, self.tenant)
            .header(signature::REQUEST_ID, "request-1")
            .header(signature::SIGNATURE_INPUT, signed.input)
            .header(signature::SIGNATURE, signed.signature)
            .body(self.body.clone())
    }
}

/// A server that accepts both secrets, and the tenants for whom it wrote.
async fn server() -> (Running, mpsc::UnboundedReceiver<String>) {
    let (tenants, seen) = mpsc::unbounded_channel();
    let secrets = HopSecrets::new(Secret::new(SECRET), Some(Secret::new(PREVIOUS)));
    let server = Running::loading(HTTP, Some(secrets)).await;
    server.load(move |_, context| {
        tenants.send(context.tenant).unwrap();
        Ok(Box::pin(stream::iter(whole())))
    });
    (server, seen)
}

async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn a_signed_request_is_served_for_its_tenant_once() {
    let (server, mut tenants) = server().await;
    assert_eq!(status(sent("n1").request(&server)).await, 200);
    assert_eq!(tenants.recv().await.unwrap(), "acme");
    let again = sent("n2").request(&server);
    assert_eq!(status(again.try_clone().unwrap()).await, 200);
    assert_eq!(status(again).await, 401, "the same request again is a replay");
}

#[tokio::test]
async fn the_previous_secret_is_accepted_and_any_other_refused() {
    let (server, _tenants) = server().await;
    assert_eq!(status(Sent { secret: PREVIOUS, ..sent("n1") }.request(&server)).await, 200);
    let other = "some other secret of 32 bytes or more";
    assert_eq!(status(Sent { secret: other, ..sent("n2") }.request(&server)).await, 401);
}

#[tokio::test]
async fn a_signature_holds_for_its_window() {
    let (server, _tenants) = server().await;
    // The clock may tick between signing and verifying, so the edges are tried from the safe side of one second.
    let cases = [
        (now_s() - (SIGNATURE_WINDOW_S - 2), 200),
        (now_s() - (SIGNATURE_WINDOW_S + 1), 401),
        (now_s() + SIGNATURE_WINDOW_S, 200),
        (now_s() + (SIGNATURE_WINDOW_S + 3), 401),
    ];
    for (created_s, expected) in cases {
        assert_eq!(status(Sent { created_s, ..sent("n") }.request(&server)).await, expected, "{created_s}");
    }
}

#[tokio::test]
async fn what_is_unsigned_or_changed_is_refused_with_a_problem() {
    let (server, mut tenants) = server().await;
    let signed = sent("n1");
    let requests = [
        ("unsigned", server.post(&brief())),
        ("another body", signed.request(&server).body("{}")),
        ("another digest", signed.request(&server).header(signature::CONTENT_DIGEST, "sha-256=:AAAA:")),
        ("a second tenant", signed.request(&server).header(signature::TENANT, "other")),
    ];
    for (case, request) in requests {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401, "{case}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{case}");
        assert!(response.text().await.unwrap().contains(r#""code":"unauthorized""#), "{case}");
    }
    let unsigned = server.get("/v1/channels").await;
    assert_eq!(unsigned.status(), 401);
    assert!(tenants.try_recv().is_err(), "nothing was written");
}

#[tokio::test]
async fn probes_need_no_signature() {
    let (server, _tenants) = server().await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(server.get(path).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn without_a_secret_a_named_tenant_is_not_believed() {
    let (tenants, mut seen) = mpsc::unbounded_channel();
    let server = Running::scripted(move |_, context| {
        tenants.send(context.tenant).unwrap();
        Ok(Box::pin(stream::iter(whole())))
    })
    .await;
    assert_eq!(status(server.post(&brief()).header(signature::TENANT, "acme")).await, 200);
    assert_eq!(seen.recv().await.unwrap(), "local");
}

//! What there is beside copy.

use adlib_tests::{Stack, StackOptions};
use anyhow::ensure;
use serde_json::json;

use crate::support::{brief, run};

#[test]
fn the_catalogue_and_the_health_routes_answer() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let channels = stack.client.get("/v1/channels").await?.json();
        ensure!(channels["data"].as_array().is_some_and(|list| list.len() == 18), "{channels}");
        let models = stack.client.get("/v1/models").await?.json();
        let fingerprint = models["data"][0]["fingerprint"].as_str().unwrap_or_default().to_owned();
        ensure!(fingerprint.starts_with("sha256:"), "{models}");
        for path in ["/healthz", "/readyz"] {
            ensure!(stack.anonymous.get(path).await?.status == 200, "{path}");
        }
        let copy = stack.client.copy(&brief(1)).await?.json();
        ensure!(copy["model"]["fingerprint"] == fingerprint.as_str(), "{copy}");
        stack.stop().await
    })
}

#[test]
fn check_judges_texts_without_a_model() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let request = json!({
            "channel": "push",
            "fields": {"title": "t".repeat(66), "body": "Rye kvass from Tallinn."},
            "must_include": ["kvass"]
        });
        let answer = stack.client.post("/v1/check", &request).await?;
        ensure!(answer.status == 200, "{answer:?}");
        let checks = answer.json()["checks"].as_array().cloned().unwrap_or_default();
        let length = checks.iter().find(|check| check["rule"] == "length" && check["field"] == "title");
        ensure!(length.is_some_and(|check| check["ok"] == false && check["counted"] == 66), "{checks:?}");
        stack.stop().await
    })
}

#[test]
fn every_answer_carries_a_request_id_and_the_security_headers() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        for answer in [stack.client.copy(&brief(1)).await?, stack.anonymous.get("/v1/nothing").await?] {
            ensure!(!answer.header("x-request-id").is_empty(), "{answer:?}");
            ensure!(answer.header("x-content-type-options") == "nosniff", "{answer:?}");
            ensure!(answer.header("content-security-policy").contains("default-src 'none'"), "{answer:?}");
        }
        stack.stop().await
    })
}

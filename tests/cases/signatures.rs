//! What the origin takes for a request of its edge.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use adlib_shared::signature::{self, Parts, Secret, Signed};
use adlib_tests::{Answer, Client, HOP_SECRET};
use anyhow::ensure;
use reqwest::Method;

use crate::support::{brief, origin, run};

const PATH: &str = "/v1/copy";

/// The time in seconds since 1970, at the beginning of a second, so that the origin reads the same.
async fn now_s() -> anyhow::Result<i64> {
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        if now.subsec_millis() < 500 {
            return Ok(i64::try_from(now.as_secs())?);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Sends a brief that an edge has signed at this time.
async fn signed(client: &Client, created_s: i64, nonce: &str) -> anyhow::Result<Answer> {
    let body = serde_json::to_vec(&brief(1))?;
    let digest = signature::content_digest(&body);
    let (tenant, request_id) = ("acme", "r-1");
    let parts = Parts { method: "POST", path: PATH, content_digest: &digest, tenant, request_id };
    let secret = Secret::new(HOP_SECRET.as_bytes());
    let Signed { input, signature } = signature::sign(&secret, &parts, u64::try_from(created_s)?, nonce)?;
    let request = client.request(Method::POST, PATH).header("content-type", "application/json");
    let request = request
        .header(signature::CONTENT_DIGEST, &digest)
        .header(signature::TENANT, tenant)
        .header(signature::REQUEST_ID, request_id)
        .header(signature::SIGNATURE_INPUT, input)
        .header(signature::SIGNATURE, signature);
    Answer::of(request.body(body)).await
}

#[test]
fn a_clock_may_be_29_seconds_off_and_not_31() -> anyhow::Result<()> {
    run(async {
        let origin = origin().await?;
        let client = Client::new(origin.url());
        for (skew_s, status) in [(0, 200), (-29, 200), (29, 200), (-31, 401), (31, 401)] {
            let answer = signed(&client, now_s().await? + skew_s, &format!("n{}", skew_s + 31)).await?;
            ensure!(answer.status == status, "{skew_s} s: {answer:?}");
        }
        Ok(())
    })
}

#[test]
fn a_signature_is_taken_once() -> anyhow::Result<()> {
    run(async {
        let origin = origin().await?;
        let client = Client::new(origin.url());
        let created_s = now_s().await?;
        ensure!(signed(&client, created_s, "nonce").await?.status == 200);
        let replayed = signed(&client, created_s, "nonce").await?;
        ensure!((replayed.status, replayed.code().as_str()) == (401, "unauthorized"), "{replayed:?}");
        ensure!(signed(&client, created_s, "another").await?.status == 200);
        Ok(())
    })
}

//! What a scrape shows.

use super::harness::{Running, brief};

#[tokio::test]
async fn requests_durations_and_tokens_are_counted() {
    let server = Running::writing().await;
    server.post(&brief()).send().await.unwrap().text().await.unwrap();
    server.get("/no/such/route").await.text().await.unwrap();
    let response = server.get("/metrics").await;
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.unwrap();
    let parts = [
        r#"adlib_http_requests_total{method="POST",route="/v1/copy",status="200",outcome="ok"}"#,
        r#"adlib_http_requests_total{method="GET",route="unmatched",status="404",outcome="not_found"}"#,
        r#"adlib_http_request_duration_seconds_bucket{route="/v1/copy",le="0.5"}"#,
        "adlib_first_text_seconds_count",
        r#"adlib_tokens_total{kind="completion"}"#,
        "adlib_http_connections",
    ];
    for part in parts {
        assert!(text.contains(part), "{part} is missing from:\n{text}");
    }
}

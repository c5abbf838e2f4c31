//! What is measured, under Prometheus names that carry their units, and where each number is counted.

use std::time::Duration;

use adlib_shared::copy::Usage;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Requests by route, method, status and outcome (a code of the contract, `ok` or `client_gone`).
pub const REQUESTS: &str = "adlib_http_requests_total";
/// From a request's arrival to its last byte.
pub const REQUEST_SECONDS: &str = "adlib_http_request_duration_seconds";
/// From a request's arrival to the first text of its copy.
pub const FIRST_TEXT_SECONDS: &str = "adlib_first_text_seconds";
/// Tokens by kind: `prompt` (cached ones among them), `cached`, `completion`.
pub const TOKENS: &str = "adlib_tokens_total";
/// Open client connections.
pub const CONNECTIONS: &str = "adlib_http_connections";
/// Always 1; its labels name the model.
pub const MODEL_INFO: &str = "adlib_model_info";
/// From the start of the process to its being able to serve.
pub const START_SECONDS: &str = "adlib_start_to_ready_seconds";

/// Upper bounds of the buckets of every duration: from a cache hit's fraction of a millisecond to a long copy.
const SECONDS_BUCKETS: [f64; 18] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0,
    160.0,
];

/// Begins to measure: one recorder for the process.
///
/// # Errors
/// Where the process already has a recorder.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)?;
    let handle = builder.install_recorder()?;
    describe();
    Ok(handle)
}

fn describe() {
    describe_counter!(REQUESTS, "Requests by route, method, status and outcome.");
    describe_histogram!(REQUEST_SECONDS, "From a request's arrival to its last byte, in seconds.");
    describe_histogram!(
        FIRST_TEXT_SECONDS,
        "From a request's arrival to the first text of its copy, in seconds."
    );
    describe_counter!(
        TOKENS,
        "Tokens of finished copies by kind: prompt, cached (part of prompt), completion."
    );
    describe_gauge!(CONNECTIONS, "Open client connections.");
    describe_gauge!(MODEL_INFO, "The loaded model; always 1.");
    describe_gauge!(START_SECONDS, "From the start of the process to its being able to serve, in seconds.");
}

/// A request has ended. Without a status its client left before there was one.
pub fn count_request(
    method: &'static str,
    route: &str,
    status: Option<u16>,
    outcome: &'static str,
    took: Duration,
) {
    let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
    let route = route.to_owned();
    counter!(REQUESTS, "method" => method, "route" => route.clone(), "status" => status, "outcome" => outcome)
        .increment(1);
    histogram!(REQUEST_SECONDS, "route" => route).record(took);
}

/// A copy's first text exists.
pub fn time_first_text(took: Duration) {
    histogram!(FIRST_TEXT_SECONDS).record(took);
}

/// A copy is finished.
pub fn count_tokens(usage: &Usage) {
    let Usage { prompt_tokens, cached_tokens, completion_tokens } = usage;
    counter!(TOKENS, "kind" => "prompt").increment(*prompt_tokens);
    counter!(TOKENS, "kind" => "cached").increment(*cached_tokens);
    counter!(TOKENS, "kind" => "completion").increment(*completion_tokens);
}

/// A connection was opened (1) or closed (-1).
pub fn count_connection(change: f64) {
    gauge!(CONNECTIONS).increment(change);
}

/// The service is able to serve this model.
pub fn note_ready(id: &str, fingerprint: &str, start_to_ready: Duration) {
    gauge!(MODEL_INFO, "model" => id.to_owned(), "fingerprint" => fingerprint.to_owned()).set(1.0);
    gauge!(START_SECONDS).set(start_to_ready.as_secs_f64());
}

//! Bad requests get problem documents, each with the contract's code, and change nothing.

use adlib_shared::limits::BODY_BYTES_MAX;
use adlib_shared::problem::{Code, Problem};
use serde_json::{Value, json};

use super::harness::{HTTP, Running, brief};

/// A request as bytes: a line, headers, a body.
fn request(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{line} HTTP/1.1\r\nhost: origin\r\nconnection: close\r\n{headers}");
    [head.as_bytes(), format!("content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// Asserts that the answer is the problem document of a code.
fn assert_refused(answer: &str, status: u16, code: &str, case: &str) {
    let (head, body) =
        answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{case}: no answer: {answer:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{case}: {head}");
    assert!(head.contains("content-type: application/problem+json"), "{case}: {head}");
    let problem: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{case}: {error}: {body}"));
    assert_eq!(problem["code"], code, "{case}");
    assert_eq!(problem["status"], status, "{case}");
    assert_eq!(problem["error"]["code"], code, "{case}");
    assert!(
        head.contains(&format!("x-request-id: {}", problem["instance"].as_str().unwrap())),
        "{case}: {head}"
    );
}

/// A brief with one member set, as JSON.
fn with(member: &str, value: Value) -> String {
    let mut brief = brief();
    brief[member] = value;
    brief.to_string()
}

const JSON: &str = "content-type: application/json\r\n";

#[tokio::test]
async fn bad_bodies_are_refused() {
    let server = Running::scripted(|_, _| panic!("no bad brief reaches the writer")).await;
    let deep = "[".repeat(10_000);
    let control = with("audience", json!("a\u{7}b"));
    let unknown = with("colour", json!("red"));
    let typed = with("variants", json!("three"));
    let channel = with("channel", json!("radio"));
    let language = with("language", json!("de"));
    let cases: &[(&str, &[u8], u16, &str)] = &[
        ("empty", b"", 400, "malformed_json"),
        ("not JSON", b"hello", 400, "malformed_json"),
        ("cut short", b"{\"product\":", 400, "malformed_json"),
        ("two values", b"{} {}", 400, "malformed_json"),
        ("deep nesting", deep.as_bytes(), 400, "malformed_json"),
        ("not UTF-8", b"{\"channel\":\"\xff\xfe\"}", 400, "malformed_json"),
        ("nothing in it", b"{}", 422, "invalid_field"),
        ("a list", b"[]", 422, "invalid_field"),
        ("a control character", control.as_bytes(), 422, "invalid_field"),
        ("an unknown field", unknown.as_bytes(), 422, "invalid_field"),
        ("a wrong type", typed.as_bytes(), 422, "invalid_field"),
        ("an unknown channel", channel.as_bytes(), 422, "unknown_channel"),
        ("a language the model lacks", language.as_bytes(), 422, "unsupported_language"),
        ("one byte too many", &vec![b' '; BODY_BYTES_MAX + 1], 413, "too_large"),
        ("a mebibyte", &vec![b'x'; 1 << 20], 413, "too_large"),
    ];
    for (case, body, status, code) in cases {
        let answer = server.raw(&request("POST /v1/copy", JSON, body)).await;
        assert_refused(&answer, *status, code, case);
    }
}

#[tokio::test]
async fn a_body_at_the_limit_is_read() {
    let server = Running::writing().await;
    let mut body = brief().to_string().into_bytes();
    body.resize(BODY_BYTES_MAX, b' ');
    let answer = server.raw(&request("POST /v1/copy", JSON, &body)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_chunked_body_is_bounded_like_any_other() {
    let server = Running::writing().await;
    let chunk = "x".repeat(0x10000);
    let chunks = format!("10000\r\n{chunk}\r\n").repeat(5);
    let head = format!(
        "POST /v1/copy HTTP/1.1\r\nhost: origin\r\nconnection: close\r\n{JSON}transfer-encoding: chunked"
    );
    let answer = server.raw(format!("{head}\r\n\r\n{chunks}0\r\n\r\n").as_bytes()).await;
    assert_refused(&answer, 413, "too_large", "chunked");
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_too_much_is_told_not_to() {
    let server = Running::writing().await;
    let length = BODY_BYTES_MAX + 1;
    let head = format!("POST /v1/copy HTTP/1.1\r\nhost: origin\r\n{JSON}expect: 100-continue");
    let answer = server.raw(format!("{head}\r\ncontent-length: {length}\r\n\r\n").as_bytes()).await;
    assert_refused(&answer, 413, "too_large", "expected");
}

#[tokio::test]
async fn wrong_routes_methods_and_types_are_refused() {
    let server = Running::writing().await;
    let body = brief().to_string().into_bytes();
    let cases: &[(&str, &str, u16, &str)] = &[
        ("POST /v1/copy", "content-type: text/plain\r\n", 415, "unsupported_media_type"),
        ("POST /v1/copy", "", 415, "unsupported_media_type"),
        ("POST /v1/nothing", JSON, 404, "not_found"),
        ("POST /", JSON, 404, "not_found"),
        ("POST /v1/copy/", JSON, 404, "not_found"),
        ("GET /v1/copy", JSON, 405, "method_not_allowed"),
        ("DELETE /v1/channels", JSON, 405, "method_not_allowed"),
        ("BREW /v1/copy", JSON, 405, "method_not_allowed"),
    ];
    for (line, headers, status, code) in cases {
        assert_refused(&server.raw(&request(line, headers, &body)).await, *status, code, line);
    }
    let answer = server.raw(&request("GET /v1/copy", "", b"")).await;
    assert!(answer.contains("\r\nallow: POST\r\n"), "{answer}");
}

#[tokio::test]
async fn a_problem_of_the_writer_is_passed_on_with_its_status() {
    let server = Running::scripted(|_, _| {
        Err(Problem::new(Code::Overloaded, "64 requests are waiting").with_retry_after_s(3))
    })
    .await;
    let answer = server.raw(&request("POST /v1/copy", JSON, brief().to_string().as_bytes())).await;
    assert_refused(&answer, 503, "overloaded", "overloaded");
    assert!(answer.contains("\r\nretry-after: 3\r\n"), "{answer}");
}

#[tokio::test]
async fn a_panic_is_answered_without_its_text_and_the_server_lives() {
    let server = Running::scripted(|_, _| panic!("a secret of the inside")).await;
    for _ in 0..2 {
        let answer = server.raw(&request("POST /v1/copy", JSON, brief().to_string().as_bytes())).await;
        assert_refused(&answer, 500, "internal", "panic");
        assert!(!answer.contains("secret"), "{answer}");
    }
}

#[tokio::test]
async fn nothing_is_written_before_the_model_is_loaded() {
    let server = Running::loading(HTTP, None).await;
    let answer = server.raw(&request("POST /v1/copy", JSON, brief().to_string().as_bytes())).await;
    assert_refused(&answer, 503, "origin_unavailable", "loading");
    assert!(answer.contains("\r\nretry-after: 2\r\n"), "{answer}");
    let readiness = server.get("/readyz").await;
    assert_eq!(readiness.status(), 503);
    assert_eq!(
        readiness.text().await.unwrap(),
        r#"{"ready":false,"reasons":["the model is still loading"]}"#
    );
    assert_eq!(server.get("/healthz").await.status(), 200);
    server.load(|_, _| panic!("nothing is asked"));
    assert_eq!(server.get("/readyz").await.status(), 200);
}

#[tokio::test]
async fn a_request_id_is_echoed_or_made() {
    let server = Running::writing().await;
    let id = |answer: &str| {
        let line = answer.lines().find(|line| line.starts_with("x-request-id: ")).unwrap();
        line["x-request-id: ".len()..].to_owned()
    };
    let longest = "r".repeat(128);
    for given in ["abc-1.2:3_4", &longest] {
        let answer = server.raw(&request("GET /healthz", &format!("x-request-id: {given}\r\n"), b"")).await;
        assert_eq!(id(&answer), given);
    }
    let one_past = "r".repeat(129);
    for given in ["", "a b", "a\"b", &one_past] {
        let answer = server.raw(&request("GET /healthz", &format!("x-request-id: {given}\r\n"), b"")).await;
        assert!(id(&answer).starts_with("req_"), "{given:?}: {}", id(&answer));
    }
}

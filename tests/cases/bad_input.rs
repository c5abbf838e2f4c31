//! Every kind of bad input gets its problem document and reaches no origin.

use adlib_shared::limits;
use adlib_tests::{Answer, Client, Stack, StackOptions};
use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{brief, run, with};

struct Case {
    name: &'static str,
    method: Method,
    path: &'static str,
    content_type: Option<&'static str>,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
}

fn case(name: &'static str, body: impl Into<Vec<u8>>, status: u16, code: &'static str) -> Case {
    let body = body.into();
    Case {
        name,
        method: Method::POST,
        path: "/v1/copy",
        content_type: Some("application/json"),
        body,
        status,
        code,
    }
}

fn field(name: &'static str, fields: Value) -> Case {
    case(name, with(brief(0), fields).to_string(), 422, "invalid_field")
}

fn cases() -> Vec<Case> {
    let product = |fields: Value| with(brief(0)["product"].clone(), fields);
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let json_text = brief(0).to_string();
    let in_description = |inner: &[u8]| {
        let (before, after) = json_text.split_once("Rye").expect("the description begins with it");
        [before.as_bytes(), inner, after.as_bytes()].concat()
    };
    vec![
        case("an empty body", "", 400, "malformed_json"),
        case("no JSON", "hello", 400, "malformed_json"),
        case("half a document", &json_text[..40], 400, "malformed_json"),
        case("something after the document", format!("{json_text} {{}}"), 400, "malformed_json"),
        case("a duplicate key", json_text.replacen('{', r#"{"channel":"x","#, 1), 400, "malformed_json"),
        case("invalid UTF-8", in_description(b"\xff\xfe"), 400, "malformed_json"),
        case("deep nesting", nested, 400, "malformed_json"),
        case("an array", "[]", 422, "invalid_field"),
        case("a body past the limit", vec![b' '; limits::BODY_BYTES_MAX + 1], 413, "too_large"),
        case("a body of 1 MiB", vec![b'a'; 1 << 20], 413, "too_large"),
        case("nothing required", "{}", 422, "invalid_field"),
        field("an unknown field", json!({"colour": "red"})),
        field("an unknown field of the product", json!({"product": product(json!({"weight": 3}))})),
        field("a name of the wrong type", json!({"product": product(json!({"name": 7}))})),
        field("an empty name", json!({"product": product(json!({"name": ""}))})),
        field("a name one too long", json!({"product": product(json!({"name": "n".repeat(81)}))})),
        field(
            "a description one too long",
            json!({"product": product(json!({"description": "d".repeat(2001)}))}),
        ),
        field("a feature too many", json!({"product": product(json!({"features": vec!["f"; 16]}))})),
        field("a control character", json!({"product": product(json!({"name": "a\u{7}b"}))})),
        field("a bidirectional override", json!({"product": product(json!({"name": "a\u{202e}b"}))})),
        field("no variants", json!({"variants": 0})),
        field("a variant too many", json!({"variants": 11})),
        field("half a variant", json!({"variants": 1.5})),
        field("a negative seed", json!({"seed": -1})),
        field("an unknown tone", json!({"tone": ["loud"]})),
        field("a tone too many", json!({"tone": ["bold", "playful", "casual", "formal"]})),
        field("creativity past 1", json!({"creativity": 1.01})),
        field("a limit looser than the channel's", json!({"limits": {"title": 66}})),
        field("a limit of an unknown field", json!({"limits": {"poem": 10}})),
        case(
            "an unknown channel",
            with(brief(0), json!({"channel": "telex"})).to_string(),
            422,
            "unknown_channel",
        ),
        case(
            "another language",
            with(brief(0), json!({"language": "de"})).to_string(),
            422,
            "unsupported_language",
        ),
        case(
            "terms that contradict each other",
            with(brief(0), json!({"must_include": ["rye"], "must_exclude": ["Rye"]})).to_string(),
            422,
            "contradictory_terms",
        ),
        Case {
            content_type: Some("text/plain"),
            ..case("a text", json_text.clone(), 415, "unsupported_media_type")
        },
        Case {
            content_type: None,
            ..case("no content type", json_text.clone(), 415, "unsupported_media_type")
        },
        Case { path: "/v1/nothing", ..case("an unknown route", json_text.clone(), 404, "not_found") },
        Case { method: Method::PUT, ..case("another method", json_text.clone(), 405, "method_not_allowed") },
    ]
}

async fn send(client: &Client, case: &Case) -> anyhow::Result<Answer> {
    let mut request = client.request(case.method.clone(), case.path).body(case.body.clone());
    if let Some(content_type) = case.content_type {
        request = request.header("content-type", content_type);
    }
    Answer::of(request).await
}

fn wrong(server: &str, case: &Case, answer: &Answer) -> Option<String> {
    let problem = answer.header("content-type") == "application/problem+json";
    let whole = answer.json()["error"]["message"].is_string() && answer.json()["status"] == case.status;
    let right = answer.status == case.status && answer.code() == case.code && problem && whole;
    (!right).then(|| {
        format!("{server}: {}: {} {}", case.name, answer.status, String::from_utf8_lossy(&answer.body))
    })
}

#[test]
fn bad_input_gets_its_problem_document_from_edge_and_origin() -> anyhow::Result<()> {
    run(async {
        let variables = vec![("rate_per_minute", "0".to_owned())];
        let stack = Stack::start(StackOptions { variables, ..StackOptions::default() }).await?;
        let open = adlib_tests::Origin::start(&adlib_tests::OriginOptions::default()).await?;
        let origin = Client::new(open.url());
        let mut faults = Vec::new();
        for case in cases() {
            faults.extend(wrong("edge", &case, &send(&stack.client, &case).await?));
            faults.extend(wrong("origin", &case, &send(&origin, &case).await?));
        }
        ensure!(faults.is_empty(), "{}", faults.join("\n"));
        let answer = stack.client.copy(&brief(0)).await?;
        ensure!(answer.status == 200, "a good brief after them: {}", String::from_utf8_lossy(&answer.body));
        stack.stop().await
    })
}

#[test]
fn keys_that_are_missing_malformed_or_wrong_are_refused() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let slip = "ck_test_0000000000000000000000aaaaaa";
        let unknown = adlib_shared::api_key::ApiKey::generate(adlib_shared::api_key::Kind::Test, [9; 16]);
        for key in [None, Some("nonsense"), Some(slip), Some(unknown.expose())] {
            let client = key.map_or_else(|| stack.anonymous.clone(), |key| stack.anonymous.with_key(key));
            let answer = client.copy(&brief(0)).await?;
            ensure!((answer.status, answer.code().as_str()) == (401, "unauthorized"), "{key:?}: {answer:?}");
            ensure!(answer.header("www-authenticate").starts_with("Bearer"), "{key:?}: {answer:?}");
        }
        stack.stop().await
    })
}

#[test]
fn the_origin_refuses_requests_that_the_edge_did_not_sign() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let answer = Client::new(stack.origin.url()).copy(&brief(0)).await?;
        ensure!((answer.status, answer.code().as_str()) == (401, "unauthorized"), "{answer:?}");
        stack.stop().await
    })
}

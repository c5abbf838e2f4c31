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

/// Requests that are no brief.
fn no_briefs() -> Vec<Case> {
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let at_depth = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
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
        case("one level too deep", at_depth(limits::JSON_DEPTH_MAX + 1), 400, "malformed_json"),
        case("as deep as may be", at_depth(limits::JSON_DEPTH_MAX), 422, "invalid_field"),
        case(
            "too many values",
            format!("[{}]", vec!["0"; limits::JSON_VALUES_MAX].join(",")),
            400,
            "malformed_json",
        ),
        case("half a character", in_description(b"\\ud800"), 400, "malformed_json"),
        case("a number that is none", in_description(b"\",\"x\":NaN,\"y\":\""), 400, "malformed_json"),
        case("an array", "[]", 422, "invalid_field"),
        case("a body past the limit", vec![b' '; limits::BODY_BYTES_MAX + 1], 413, "too_large"),
        case("a body at the limit", vec![b' '; limits::BODY_BYTES_MAX], 400, "malformed_json"),
        case("a body of 1 MiB", vec![b'a'; 1 << 20], 413, "too_large"),
        case("nothing required", "{}", 422, "invalid_field"),
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

/// Briefs with something wrong in them.
fn wrong_briefs() -> Vec<Case> {
    let product = |fields: Value| with(brief(0)["product"].clone(), fields);
    vec![
        field("an unknown field", json!({"colour": "red"})),
        field("an unknown field of the product", json!({"product": product(json!({"weight": 3}))})),
        field("a name of the wrong type", json!({"product": product(json!({"name": 7}))})),
        field("an empty name", json!({"product": product(json!({"name": ""}))})),
        field("a control character", json!({"product": product(json!({"name": "a\u{7}b"}))})),
        field("a bidirectional override", json!({"product": product(json!({"name": "a\u{202e}b"}))})),
        field("a tag character", json!({"audience": "a\u{e0041}b"})),
        field("a line break in a name", json!({"product": product(json!({"name": "a\nb"}))})),
        field("nothing but white space", json!({"product": product(json!({"description": " \t\u{a0}"}))})),
        field("an address of another scheme", json!({"product": product(json!({"url": "file:///etc"}))})),
        field("half a variant", json!({"variants": 1.5})),
        field("variants as a text", json!({"variants": "2"})),
        field("a list where a text is asked", json!({"audience": ["everyone"]})),
        field("a text where a list is asked", json!({"must_include": "kvass"})),
        field("a text where an object is asked", json!({"brand": "Kvass"})),
        field("a text where a truth value is asked", json!({"stream": "yes"})),
        field("an unknown tone", json!({"tone": ["loud"]})),
        field("a tone twice", json!({"tone": ["bold", "bold"]})),
        field("an unknown objective", json!({"objective": "fame"})),
        field("an unknown framework", json!({"framework": "xyz"})),
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
        for case in no_briefs().into_iter().chain(wrong_briefs()) {
            faults.extend(wrong("edge", &case, &send(&stack.client, &case).await?));
            faults.extend(wrong("origin", &case, &send(&origin, &case).await?));
        }
        ensure!(faults.is_empty(), "{}", faults.join("\n"));
        let answer = stack.client.copy(&brief(0)).await?;
        ensure!(answer.status == 200, "a good brief after them: {}", String::from_utf8_lossy(&answer.body));
        stack.stop().await
    })
}

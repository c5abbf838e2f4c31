//! Every limit of a brief, at the limit and one past it.

use adlib_shared::limits;
use adlib_tests::{Answer, Client, Origin, OriginOptions, Stack, StackOptions};
use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{brief, run, with};

/// A member of the brief, its greatest value, and one that is past it; the latter's faulty member where it is another.
struct Limit {
    name: &'static str,
    most: Value,
    past: Value,
    faulty: String,
}

/// A limit on a text's length.
fn text(name: &'static str, most: usize) -> Limit {
    Limit {
        name, most: json!("é".repeat(most)), past: json!("é".repeat(most + 1)), faulty: name.to_owned()
    }
}

/// A limit on how many texts there are.
fn count(name: &'static str, most: usize) -> Limit {
    let texts = |count: usize| (0..count).map(|index| json!(format!("t{index}"))).collect();
    Limit { name, most: texts(most), past: texts(most + 1), faulty: name.to_owned() }
}

/// A limit on the length of each of a list's texts.
fn item(name: &'static str, most: usize) -> Limit {
    Limit { faulty: format!("{name}[1]"), ..list(name, &"i".repeat(most), &"i".repeat(most + 1)) }
}

fn list(name: &'static str, most: &str, past: &str) -> Limit {
    Limit { name, most: json!(["a", most]), past: json!(["a", past]), faulty: name.to_owned() }
}

/// A limit on a number.
fn number(name: &'static str, most: Value, past: Value) -> Limit {
    Limit { name, most, past, faulty: name.to_owned() }
}

fn all() -> Vec<Limit> {
    let url = |bytes: usize| json!(format!("https://a.example/{}", "p".repeat(bytes - 18)));
    vec![
        text("product.name", limits::PRODUCT_NAME_MAX),
        text("product.description", limits::PRODUCT_DESCRIPTION_MAX),
        count("product.features", limits::PRODUCT_POINTS_MAX),
        item("product.features", limits::PRODUCT_POINT_MAX),
        count("product.benefits", limits::PRODUCT_POINTS_MAX),
        item("product.benefits", limits::PRODUCT_POINT_MAX),
        text("product.price", limits::PRODUCT_PRICE_MAX),
        text("product.offer", limits::PRODUCT_OFFER_MAX),
        number("product.url", url(limits::PRODUCT_URL_BYTES_MAX), url(limits::PRODUCT_URL_BYTES_MAX + 1)),
        text("audience", limits::AUDIENCE_MAX),
        number("tone", json!(["bold", "casual", "formal"]), json!(["bold", "casual", "formal", "witty"])),
        number("tone", json!(["bold"]), json!([])),
        text("brand.name", limits::BRAND_NAME_MAX),
        text("brand.voice", limits::BRAND_VOICE_MAX),
        count("brand.do", limits::BRAND_RULES_MAX),
        item("brand.do", limits::BRAND_RULE_MAX),
        count("brand.dont", limits::BRAND_RULES_MAX),
        item("brand.dont", limits::BRAND_RULE_MAX),
        count("brand.examples", limits::BRAND_EXAMPLES_MAX),
        item("brand.examples", limits::BRAND_EXAMPLE_MAX),
        count("must_include", limits::MUST_INCLUDE_MAX),
        item("must_include", limits::TERM_MAX),
        count("must_exclude", limits::MUST_EXCLUDE_MAX),
        item("must_exclude", limits::TERM_MAX),
        text("call_to_action", limits::CALL_TO_ACTION_MAX),
        number("variants", json!(limits::VARIANTS_MAX), json!(limits::VARIANTS_MAX + 1)),
        number("variants", json!(1), json!(0)),
        number("creativity", json!(1), json!(1.001)),
        number("creativity", json!(0), json!(-0.001)),
        number("seed", json!(u64::MAX), json!(18_446_744_073_709_551_616.0_f64)),
        number("seed", json!(0), json!(-1)),
        number("limits.title", json!(65), json!(66)),
    ]
}

/// The brief with a member set; a point separates it from the member that holds it.
fn set(name: &str, value: &Value) -> Value {
    match name.split_once('.') {
        None => with(brief(0), json!({ name: value })),
        Some((outer, inner)) => {
            let held = brief(0)[outer].as_object().cloned().unwrap_or_default();
            with(brief(0), json!({ outer: with(Value::Object(held), json!({ inner: value })) }))
        }
    }
}

/// Asks for what the cache holds alone: a brief that is in order gets no further than to the cache.
async fn ask_the_cache(client: &Client, brief: &Value) -> anyhow::Result<Answer> {
    let request = client.request(Method::POST, "/v1/copy").header("cache-control", "only-if-cached");
    Answer::of(request.json(brief)).await
}

#[test]
fn every_limit_of_a_brief_holds_at_the_limit_and_not_one_past_it() -> anyhow::Result<()> {
    run(async {
        let variables = vec![("rate_per_minute", "0".to_owned())];
        let stack = Stack::start(StackOptions { variables, ..StackOptions::default() }).await?;
        let open = Origin::start(&OriginOptions::default()).await?;
        let origin = Client::new(open.url());
        let mut wrong = Vec::new();
        for Limit { name, most, past, faulty } in all() {
            let kept = ask_the_cache(&stack.client, &set(name, &most)).await?;
            if kept.code() != "only_if_cached" {
                wrong.push(format!("{name} at its limit: {}", String::from_utf8_lossy(&kept.body)));
            }
            for (server, client) in [("edge", &stack.client), ("origin", &origin)] {
                let answer = client.copy(&set(name, &past)).await?;
                let problem = answer.json();
                let told = problem["errors"].as_array().is_some_and(|errors| {
                    errors.len() == 1
                        && errors[0]["field"] == faulty.as_str()
                        && errors[0]["detail"].as_str().is_some_and(|detail| !detail.is_empty())
                });
                if (answer.status, answer.code().as_str(), told) != (422, "invalid_field", true) {
                    wrong.push(format!("{server}: {name} past its limit: {problem}"));
                }
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        stack.stop().await
    })
}

//! What the cases have in common.

use adlib_tests::{HOP_SECRET, Origin, OriginOptions};
use serde_json::{Value, json};

/// A small valid brief; the number makes it another one.
pub(crate) fn brief(number: u32) -> Value {
    json!({
        "product": {
            "name": format!("Kvass & Kettle {number}"),
            "description": "Rye kvass brewed in Tallinn, fermented for 48 hours, sold in 330 ml bottles."
        },
        "channel": "push",
        "variants": 2
    })
}

/// About what the tiny model samples for a [`long`] brief.
pub(crate) const LONG_TOKENS: f64 = 26_600.0;

/// A brief that keeps the tiny model busy.
pub(crate) fn long(number: u32) -> Value {
    with(brief(number), json!({"channel": "product_description", "variants": 10, "seed": 1}))
}

/// The same with some fields set.
pub(crate) fn with(mut brief: Value, fields: Value) -> Value {
    if let (Some(brief), Value::Object(fields)) = (brief.as_object_mut(), fields) {
        brief.extend(fields);
    }
    brief
}

/// An origin that takes what the edges sign, and nothing else.
pub(crate) async fn origin() -> anyhow::Result<Origin> {
    let hop_secret = Some(HOP_SECRET.to_owned());
    Origin::start(&OriginOptions { hop_secret, ..OriginOptions::default() }).await
}

/// A runtime for one case.
pub(crate) fn run(case: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(case)
}

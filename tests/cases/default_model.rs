//! The main job on the model that users get.

use adlib_tests::{Stack, StackOptions};
use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::run;

fn kvass(channel: &str) -> Value {
    json!({
        "product": {
            "name": "Kvass & Kettle",
            "description": "Rye kvass brewed in Tallinn, naturally fermented for 48 hours, 0.5% alcohol, sold in 330 ml bottles."
        },
        "channel": channel,
        "variants": 2,
        "seed": 42
    })
}

#[test]
fn the_default_model_writes_copy_that_holds_and_the_edge_keeps_it() -> anyhow::Result<()> {
    run(async {
        let model = Some(adlib_tests::built("ADLIB_MODEL")?);
        let stack = Stack::start(StackOptions { model, ..StackOptions::default() }).await?;
        for channel in ["google_rsa", "sms", "landing_hero"] {
            let written = stack.client.copy(&kvass(channel)).await?;
            ensure!(written.status == 200, "{channel}: {}", String::from_utf8_lossy(&written.body));
            let copy = written.json();
            let variants = copy["variants"].as_array().cloned().unwrap_or_default();
            ensure!(!variants.is_empty() && variants.iter().all(|variant| variant["ok"] == true), "{copy}");
            let text = copy["variants"][0]["fields"].to_string();
            ensure!(text.split_whitespace().count() >= 5, "{text}");
            let again = stack.client.copy(&kvass(channel)).await?;
            ensure!(again.header("cache-status").contains("hit") && again.body == written.body, "{channel}");
        }
        let mut german = kvass("sms");
        german["language"] = "de".into();
        ensure!(stack.client.copy(&german).await?.code() == "unsupported_language");
        stack.stop().await
    })
}

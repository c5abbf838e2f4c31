//! Briefs that the cases send.

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

/// A runtime for one case.
pub(crate) fn run(case: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(case)
}

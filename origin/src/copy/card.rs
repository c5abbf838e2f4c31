//! A brief as the text that the house copywriter was trained on: a card of `Name: value` lines.
//!
//! The wording is the template. Changing it asks for a new adapter and a new [`TEMPLATE_REVISION`], which is part of every
//! cache key. `infra/adapter/card.py` is the same template for training; a fixture keeps the two equal.

use adlib_shared::brief::{Brief, Framework};

/// The revision of the card's wording and of how lines are planned.
pub const TEMPLATE_REVISION: u32 = 1;

/// The brief's card.
pub fn card(brief: &Brief) -> String {
    let mut lines = Lines::default();
    let product = &brief.product;
    lines.push("Channel", brief.channel.id);
    lines.push("Product", &product.name);
    lines.push("About", &product.description);
    lines.list("Features", &product.features);
    lines.list("Benefits", &product.benefits);
    lines.optional("Price", product.price.as_deref());
    lines.optional("Offer", product.offer.as_deref());
    lines.optional("Link", product.url.as_deref());
    lines.optional("Audience", brief.audience.as_deref());
    lines.push("Objective", brief.objective.as_str());
    lines.push("Tone", &brief.tone.iter().map(|tone| tone.as_str()).collect::<Vec<_>>().join(", "));
    if !matches!(brief.framework, Framework::Auto | Framework::None) {
        lines.push("Framework", brief.framework.as_str());
    }
    if let Some(brand) = &brief.brand {
        lines.optional("Voice", brand.voice.as_deref());
        lines.list("Do", &brand.dos);
        lines.list("Don't", &brand.donts);
    }
    lines.list("Include", &brief.must_include);
    lines.list("Avoid", &brief.must_exclude);
    lines.optional("Call to action", brief.call_to_action.text());
    lines.0
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn push(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(name);
        self.0.push_str(": ");
        // A value is one line: the card's own line breaks are its structure.
        self.0.push_str(&value.split_whitespace().collect::<Vec<_>>().join(" "));
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }

    fn list(&mut self, name: &str, values: &[String]) {
        if !values.is_empty() {
            self.push(name, &values.join("; "));
        }
    }
}

//! Briefs and copies that other tests start from.

use adlib_shared::brief::Brief;
use adlib_shared::channel::Channel;
use adlib_shared::check::{Check, Checker, Rule, Terms};
use adlib_shared::copy::{Copy, Fields, ModelRef, TimingMs, Usage, Variant};
use adlib_shared::problem::Problem;
use adlib_shared::score::Score;
use serde_json::{Value, json};

/// The smallest brief.
pub(crate) fn smallest() -> Value {
    json!({"product": {"name": "Larder & Lid", "description": "Meal kits from Manchester."}, "channel": "google_rsa"})
}

/// The smallest brief with one member replaced; a pointer names it, as in `/product/name`.
pub(crate) fn with(pointer: &str, value: Value) -> Value {
    let mut brief = smallest();
    set(&mut brief, pointer, value);
    brief
}

/// Sets the member that a pointer names, making objects on the way.
pub(crate) fn set(root: &mut Value, pointer: &str, value: Value) {
    let mut at = root;
    for name in pointer.trim_start_matches('/').split('/') {
        at = &mut at[name];
    }
    *at = value;
}

pub(crate) fn parse(body: &Value) -> Result<Brief, Problem> {
    Brief::parse(&serde_json::to_vec(body).unwrap(), &["en"])
}

pub(crate) fn brief(body: &Value) -> Brief {
    parse(body).unwrap_or_else(|problem| panic!("{body}: {problem:?}"))
}

/// A brief for a channel, or nothing where the channel takes no such description.
pub(crate) fn brief_for(channel: &Channel, description: &str) -> Option<Brief> {
    let mut body = smallest();
    set(&mut body, "/channel", json!(channel.id));
    set(&mut body, "/product/description", json!(format!("x{description}")));
    parse(&body).ok()
}

/// Texts by field.
pub(crate) fn fields(texts: Value) -> Fields {
    serde_json::from_value(texts).unwrap()
}

/// The checks of some texts that do not hold, without a brief.
pub(crate) fn faults(channel: &str, texts: Value) -> Vec<(Rule, String)> {
    let channel = Channel::find(channel).unwrap();
    failed(Checker::new(channel, Terms::default()).check(&fields(texts)))
}

/// The checks of some texts that do not hold against a brief.
pub(crate) fn faults_of(brief: &Brief, texts: Value) -> Vec<(Rule, String)> {
    failed(Checker::new(brief.channel, Terms::of(brief)).check(&fields(texts)))
}

fn failed(checks: Vec<Check>) -> Vec<(Rule, String)> {
    checks.into_iter().filter(|check| !check.ok).map(|check| (check.rule, check.field)).collect()
}

/// A copy with everything that travels.
pub(crate) fn copy() -> Copy {
    let fields =
        fields(json!({"headline": ["One", "Two", "Three"], "description": ["Line\nbreak", "\"quoted\" ☕"]}));
    let channel = Channel::find("google_rsa").unwrap();
    let checks = Checker::new(channel, Terms::default()).check(&fields);
    let score =
        Score { total: 0.71, readability: 0.8, coverage: 0.66, distinctness: 0.7, ..Score::default() };
    Copy {
        id: "copy_0123456789abcdefABCDEF".into(),
        channel: channel.id.into(),
        channel_revision: channel.revision,
        language: "en".into(),
        model: ModelRef { id: "SmolLM2-135M-Instruct".into(), fingerprint: "sha256:00".into() },
        seed: u64::MAX,
        usage: Usage { prompt_tokens: 180, cached_tokens: 128, completion_tokens: 96 },
        timing_ms: TimingMs { queue: 0.2, prefill: 31.0, decode: 410.0, total: 441.9 },
        variants: vec![Variant { id: "v1".into(), fields, checks, ok: true, score }],
        best: "v1".into(),
    }
}

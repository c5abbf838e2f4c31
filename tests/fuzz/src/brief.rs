//! Briefs, and the JSON that they come in.

use adlib_shared::brief::Brief;
use adlib_shared::cache_key::{CacheKey, Operation, Scope};
use adlib_shared::json::Node;
use adlib_shared::keyed_hash::KeyedHash;
use adlib_shared::limits::BODY_BYTES_MAX;
use serde_json::{Value, json};

use crate::Target;

pub(crate) const TARGET: Target = Target { name: "brief", run, seeds, words: WORDS };

pub(crate) const WORDS: &[&str] = &[
    "\"product\":",
    "\"name\":",
    "\"description\":",
    "\"features\":[",
    "\"benefits\":[",
    "\"price\":",
    "\"offer\":",
    "\"url\":",
    "https://a.example/",
    "\"channel\":",
    "\"google_rsa\"",
    "\"email\"",
    "\"twitter\"",
    "\"audience\":",
    "\"objective\":",
    "\"framework\":",
    "\"tone\":[",
    "\"language\":",
    "\"zh-Hant-TW\"",
    "\"brand\":{",
    "\"voice\":",
    "\"do\":[",
    "\"dont\":[",
    "\"examples\":[",
    "\"must_include\":[",
    "\"must_exclude\":[",
    "\"call_to_action\":",
    "\"variants\":",
    "\"creativity\":",
    "\"seed\":",
    "\"limits\":{",
    "\"headline\":",
    "\"stream\":",
    "18446744073709551616",
    "1e309",
    "-0",
    "\\u0000",
    "\\ud800",
    "\u{301}",
    "\u{202e}",
    "\u{feff}",
    "\u{200d}",
    "\u{1f469}\u{200d}\u{1f680}",
];

fn run(input: &[u8]) {
    json_is_read_as_others_read_it(input);
    let Ok(brief) = Brief::parse(input, &["*"]) else { return };
    let written = brief.to_json();
    let again = Brief::parse(&written, &["*"]).expect("what was read and written is read again");
    assert_eq!(again, brief, "a brief is read back as it was written");
    assert_eq!(again.to_json(), written, "there is one way to write a brief");
    let key = |brief: &Brief| {
        CacheKey::of(&KeyedHash::new(b"fuzz"), Scope::Tenant("t"), Operation::Copy, brief, "model", 1)
    };
    assert_eq!(key(&again), key(&brief), "the same brief has the same key");
}

/// What is taken is JSON that another reader takes too, and to the same values.
fn json_is_read_as_others_read_it(input: &[u8]) {
    let Ok(node) = Node::parse(input, BODY_BYTES_MAX) else { return };
    let value: Value = serde_json::from_slice(input).expect("what is taken is JSON");
    assert!(is_same(&node, &value), "{node:?} is {value}");
}

fn is_same(node: &Node, value: &Value) -> bool {
    match (node, value) {
        (Node::Null, Value::Null) => true,
        (Node::Bool(one), Value::Bool(other)) => one == other,
        (Node::Unsigned(one), Value::Number(other)) => other.as_u64() == Some(*one),
        (Node::Number(one), Value::Number(other)) => {
            other.as_u64().is_none() && other.as_f64().is_some_and(|other| other.to_bits() == one.to_bits())
        }
        (Node::Text(one), Value::String(other)) => one == other,
        (Node::List(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Node::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| is_same(one, other)))
        }
        _ => false,
    }
}

/// A small brief and one with every field.
pub(crate) fn briefs() -> [Value; 3] {
    [
        json!({"channel": "x", "product": {"name": "Tea", "description": "Green tea from a small garden."}}),
        json!({
            "product": {
                "name": "Juniper", "description": "A bread knife, made in Sheffield.\nSharp for ten years.",
                "features": ["forged", "0.3 mm edge"], "benefits": ["no crumbs"], "price": "£ 49", "offer": "10 % off",
                "url": "https://juniper.example/knife?id=1"
            },
            "channel": "google_rsa", "audience": "people who bake", "objective": "launch", "framework": "aida",
            "tone": ["friendly", "bold"], "language": "en-GB",
            "brand": {"name": "J", "voice": "calm", "do": ["say Sheffield"], "dont": ["shout"], "examples": ["Cut."]},
            "must_include": ["Sheffield"], "must_exclude": ["cheap"], "call_to_action": "Order now", "variants": 2,
            "creativity": 0.25, "seed": 42, "limits": {"headline": 20}, "stream": true
        }),
        json!({
            "product": {"name": "Cafe\u{301} 👩‍🚀", "description": "ไทย हिन्दी 中文"}, "channel": "sms",
            "creativity": "high", "call_to_action": "auto", "variants": 10, "audience": null
        }),
    ]
}

fn seeds() -> Vec<Vec<u8>> {
    let broken =
        [r#"{"a":1,"a":2}"#, "[[[[[[[[[1]]]]]]]]]", r#"{"x":-1.5e-7,"y":[true,null,"\u00e9\n"]}"#, "{} x"];
    let briefs = briefs().map(|brief| brief.to_string().into_bytes());
    briefs.into_iter().chain(broken.map(|text| text.as_bytes().to_vec())).collect()
}

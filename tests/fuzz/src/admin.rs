//! What operators send, and the texts that anyone has checked: small documents with a closed set of fields.

use adlib_edge::block::Subject;
use adlib_shared::check::Request;
use adlib_shared::key::{NewKey, Rotation};
use adlib_shared::purge::{Mode, Purge, Tag};
use serde_json::json;

use crate::Target;

pub(crate) const TARGET: Target = Target { name: "admin", run, seeds, words: WORDS };

const NOW_S: u64 = 1_700_000_000;

const WORDS: &[&str] = &[
    "\"scopes\":[",
    "\"kind\":",
    "\"expires\":",
    "\"limits\":{",
    "\"overlap_s\":",
    "\"all\":true",
    "\"tenant\":",
    "\"model\":",
    "\"channel\":",
    "\"template\":",
    "\"mode\":",
    "\"soft\"",
    "\"hard\"",
    "key/",
    "address/",
    "2001:db8::",
    "192.0.2.1",
    "\"fields\":{",
    "\"must_include\":[",
    "\"must_exclude\":[",
    "\"headline\":[",
    "\"post\":",
    "\"sms\"",
    "\"x\"",
    "\"email\"",
    "\"amazon\"",
    "https://a.example/",
    "€",
    "\u{1f680}",
];

fn run(input: &[u8]) {
    purge(input);
    keys(input);
    check(input);
    let Some(subject) = std::str::from_utf8(input).ok().and_then(Subject::parse) else { return };
    assert_eq!(Subject::parse(&subject.name()), Some(subject), "a subject is named by its name");
}

fn purge(input: &[u8]) {
    let Ok(purge) = Purge::parse(input) else { return };
    let name = purge.tag.name();
    assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{name} can stand in a key of the store");
    let mode = purge.mode.as_str();
    let written = match &purge.tag {
        Tag::All => json!({"all": true, "mode": mode}),
        Tag::Tenant(name) => json!({"tenant": name, "mode": mode}),
        Tag::Model(name) => json!({"model": name, "mode": mode}),
        Tag::Channel(id) => json!({"channel": id, "mode": mode}),
        Tag::Template(revision) => json!({"template": revision, "mode": mode}),
    };
    let again = Purge::parse(written.to_string().as_bytes());
    assert_eq!(again.as_ref(), Ok(&purge), "a purge is read back as it was written");
    assert_eq!(Mode::from_word(mode), Some(purge.mode));
}

fn keys(input: &[u8]) {
    if let Ok(rotation) = Rotation::parse(input) {
        let written = json!({ "overlap_s": rotation.overlap_s }).to_string();
        assert_eq!(Rotation::parse(written.as_bytes()), Ok(rotation));
    }
    let Ok(key) = NewKey::parse(input, NOW_S) else { return };
    let NewKey { tenant, name, scopes, kind, expires, limits, .. } = &key;
    assert!(!scopes.is_empty() && expires.is_none_or(|expires_s| expires_s > NOW_S));
    let written = json!({
        "tenant": tenant, "name": name, "scopes": scopes, "kind": kind, "expires": expires, "limits": limits
    });
    let again = NewKey::parse(written.to_string().as_bytes(), NOW_S);
    assert_eq!(again.as_ref(), Ok(&key), "a key is read back as it was written");
}

fn check(input: &[u8]) {
    let Ok(request) = Request::parse(input) else { return };
    let checks = request.check();
    assert_eq!(request.check(), checks, "a text is judged the same each time");
    for check in &checks {
        serde_json::to_string(check).expect("a check can be written");
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let documents = [
        json!({"all": true}),
        json!({"tenant": "acme", "mode": "soft"}),
        json!({"model": "sha256:0f", "mode": "hard"}),
        json!({"channel": "twitter"}),
        json!({"template": 3}),
        json!({
            "tenant": "acme", "name": "ci", "scopes": ["copy", "admin"], "kind": "live", "expires": NOW_S + 1,
            "limits": {"rate_per_minute": 60, "tokens_per_minute": 0, "streams_max": 2}
        }),
        json!({"overlap_s": 3600}),
        json!({"channel": "google_rsa", "fields": {"headline": ["Tea", "Tea", "Green!"], "description": ["A", "B"]}}),
        json!({"channel": "x", "fields": {"post": "See https://a.example/ 👩‍🚀"}, "must_include": ["tea"]}),
        json!({"channel": "sms", "fields": {"text": "10 € {off} ~"}, "must_exclude": ["off"]}),
    ];
    let subjects = ["key/0f0f0f0f0f0f0f0f", "address/192.0.2.1", "address/2001:db8:1:2::"];
    let documents = documents.map(|document| document.to_string().into_bytes());
    documents.into_iter().chain(subjects.map(|subject| subject.as_bytes().to_vec())).collect()
}

//! What is known about keys.

use adlib_shared::key::{KeyId, KeyLimits, Scope};
use serde_json::json;

#[test]
fn an_id_is_read_as_it_is_written() {
    let id = KeyId([0, 1, 2, 3, 0xAB, 0xCD, 0xEF, 0xFF]);
    assert_eq!((id.to_string().as_str(), id.to_string().len()), ("00010203abcdefff", KeyId::CHARS));
    assert_eq!(KeyId::parse("00010203abcdefff"), Some(id));
    for text in ["", "00010203abcdeff", "00010203abcdefff0", "00010203ABCDEFFF", "00010203abcdefxy"] {
        assert_eq!(KeyId::parse(text), None, "{text}");
    }
}

#[test]
fn limits_that_are_not_given_are_left_out() {
    let limits = KeyLimits { tokens_per_minute: Some(0), streams_max: Some(4), ..KeyLimits::default() };
    let document = json!({ "tokens_per_minute": 0, "streams_max": 4 });
    assert_eq!(serde_json::to_value(limits).unwrap(), document);
    assert_eq!(serde_json::from_value::<KeyLimits>(document).unwrap(), limits);
    for wrong in
        [json!({ "rate": 1 }), json!({ "streams_max": -1 }), json!({ "rate_per_minute": 4_294_967_296_u64 })]
    {
        assert!(serde_json::from_value::<KeyLimits>(wrong).is_err());
    }
}

#[test]
fn scopes_are_words() {
    let words: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    assert_eq!(words, ["copy", "check", "jobs", "admin"]);
}

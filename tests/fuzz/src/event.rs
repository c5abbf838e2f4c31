//! Server-sent events, cut anywhere on their way.

use adlib_shared::event::{DecodeError, Decoder, Event};

use serde_json::Value;

use crate::Target;

pub(crate) const TARGET: Target = Target { name: "event", run, seeds, words: WORDS };

const WORDS: &[&str] = &[
    "event: ",
    "data: ",
    "\n\n",
    "\r\n",
    "\u{feff}",
    "start",
    "delta",
    "variant",
    "done",
    "error",
    "id: ",
    "retry: ",
    ": keep-alive",
    "\"model\":{\"id\":\"m\",\"fingerprint\":\"f\"}",
    "\"seed\":",
    "\"variant\":",
    "\"field\":",
    "\"text\":",
    "\"index\":",
];

fn run(input: &[u8]) {
    let whole = decoded(input, input.len());
    for length in [1, 2, 7, 64] {
        let pieces = decoded(input, length);
        match &whole {
            (events, None) => assert_eq!(&pieces, &(events.clone(), None), "cuts change nothing"),
            // The events before a fault are lost with the piece that holds it, so that shorter pieces give more of them.
            (_, error) => assert_eq!(&pieces.1, error, "cuts change nothing about a fault"),
        }
    }
    for event in whole.0 {
        let written = event.encode();
        let (again, error) = decoded(written.as_bytes(), 3);
        assert_eq!((again.len(), error), (1, None), "{written}");
        assert_eq!(again[0].name(), event.name());
        assert!(
            is_near(&data(&again[0]), &data(&event)),
            "an event is read back as it was written: {written}"
        );
    }
}

fn data(event: &Event) -> Value {
    let written = event.encode();
    let (_, data) = written.split_once("data: ").expect("an event has data");
    serde_json::from_str(data).expect("the data of an event is JSON")
}

/// Whether two documents are the same, but for the last bits of fractions, which serde_json may read wrong where they have
/// many digits.
fn is_near(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() <= 8.0 * f64::EPSILON * one.abs(),
            _ => one == other,
        },
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_near(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| is_near(one, other)))
        }
        _ => one == other,
    }
}

/// The events of a stream that comes in pieces of this length, and what went wrong.
fn decoded(bytes: &[u8], length: usize) -> (Vec<Event>, Option<DecodeError>) {
    let (mut decoder, mut events) = (Decoder::new(), Vec::new());
    for piece in bytes.chunks(length.max(1)) {
        match decoder.push(piece) {
            Ok(more) => events.extend(more),
            Err(error) => {
                assert_eq!(
                    decoder.push(b"\n"),
                    Err(DecodeError::Failed),
                    "a stream that failed is not read on"
                );
                return (events, Some(error));
            }
        }
    }
    (events, None)
}

fn seeds() -> Vec<Vec<u8>> {
    let start = r#"event: start
data: {"id":"copy_1","model":{"id":"m","fingerprint":"sha256:0f"},"seed":42}

"#;
    let delta =
        "event: delta\r\ndata: {\"variant\":\"v1\",\"field\":\"post\",\r\ndata: \"text\":\"Tea\"}\r\n\r\n";
    let variant = r#"event: variant
data: {"id":"v1","fields":{"post":"Tea"},"checks":[],"ok":true,"score":{"total":0.71,"readability":0.8,"coverage":0.66,"distinctness":0.7,"faithfulness":1.0,"repetition":0.0}}

"#;
    let error = "event: error\ndata: {\"type\":\"about:blank\",\"title\":\"t\",\"status\":502,\"detail\":\"d\",\"code\":\"origin_failed\"}\n\n";
    [start, delta, variant, error, ": keep-alive\n\n", "\u{feff}id: 1\rdata\r\revent: other\ndata: x\n\n"]
        .map(|text| text.as_bytes().to_vec())
        .into()
}

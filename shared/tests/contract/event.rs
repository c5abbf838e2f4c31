//! Server-sent events.

use adlib_shared::event::{DecodeError, Decoder, Delta, Event, KEEP_ALIVE, Start};
use adlib_shared::limits::EVENT_BYTES_MAX;
use adlib_shared::problem::{Code, Problem};
use proptest::prelude::*;

use crate::sample;

fn events() -> Vec<Event> {
    let copy = sample::copy();
    vec![
        Event::Start(Start { id: copy.id.clone(), model: copy.model.clone(), seed: copy.seed }),
        Event::Delta(Delta {
            variant: "v1".into(),
            field: "headline".into(),
            index: 2,
            text: " Line\r\nbreak\u{2028}☕".into(),
        }),
        Event::Variant(copy.variants[0].clone()),
        Event::Done(copy),
        Event::Error(Problem::new(Code::Overloaded, "later").with_field("a", "b").with_instance("req_1")),
    ]
}

fn stream() -> Vec<u8> {
    events().iter().map(Event::encode).collect::<Vec<_>>().join(KEEP_ALIVE).into_bytes()
}

fn decode(chunks: &[&[u8]]) -> Result<Vec<Event>, DecodeError> {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for chunk in chunks {
        events.extend(decoder.push(chunk)?);
    }
    Ok(events)
}

#[test]
fn an_event_is_a_name_one_line_of_data_and_an_empty_line() {
    for event in events() {
        let encoded = event.encode();
        let lines: Vec<&str> = encoded.split('\n').collect();
        assert_eq!(lines.len(), 4, "{encoded}");
        assert_eq!(lines[0], format!("event: {}", event.name()));
        assert!(lines[1].starts_with("data: {"));
        assert_eq!(event.is_last(), matches!(event, Event::Done(_) | Event::Error(_)));
    }
}

#[test]
fn a_stream_may_be_cut_at_every_byte() {
    let bytes = stream();
    assert_eq!(decode(&[&bytes]).unwrap(), events());
    for at in 0..bytes.len() {
        assert_eq!(decode(&[&bytes[..at], &bytes[at..]]).unwrap(), events(), "cut at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode(&single).unwrap(), events());
}

#[test]
fn every_line_end_of_the_standard_is_taken() {
    let text = String::from_utf8(stream()).unwrap();
    for end in ["\r\n", "\r"] {
        let bytes = text.replace('\n', end).into_bytes();
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        // A last CR ends the event only if no LF follows, which it need not wait for.
        assert_eq!(decode(&single).unwrap(), events(), "{end:?}");
    }
}

#[test]
fn what_the_contract_does_not_know_is_passed_over() {
    let delta = r#"{"variant":"v1","field":"post","text":"a"}"#;
    let (head, tail) = delta.split_at(15);
    let bytes = format!(
        "\u{feff}: comment\nretry: 10\nid: 7\n\nevent: ping\ndata: {{}}\n\ndata: no name\n\nevent: delta\n\n\
         event:delta\ndata:{head}\ndata:{tail}\nfoo\n\n"
    );
    let expected = Delta { variant: "v1".into(), field: "post".into(), index: 0, text: "a".into() };
    assert_eq!(decode(&[bytes.as_bytes()]).unwrap(), [Event::Delta(expected)]);
}

#[test]
fn a_stream_may_end_between_events_only() {
    let mut decoder = Decoder::new();
    assert!(decoder.is_between_events());
    decoder.push(b"event: start\n").unwrap();
    assert!(!decoder.is_between_events());
    decoder.push(b"\n").unwrap();
    assert!(decoder.is_between_events());
}

#[test]
fn an_event_is_bounded() {
    let line = "event: ping\ndata: ";
    let fits = format!("{line}{}\n\n", "x".repeat(EVENT_BYTES_MAX - line.len()));
    assert_eq!(decode(&[fits.as_bytes()]), Ok(vec![]));
    assert_eq!(decode(&[fits.as_bytes(), fits.as_bytes()]), Ok(vec![]), "each event has the whole limit");
    let over = format!("{line}{}\n\n", "x".repeat(EVENT_BYTES_MAX + 1));
    assert_eq!(decode(&[over.as_bytes()]), Err(DecodeError::TooLong));
    let endless = "x".repeat(1000);
    let mut decoder = Decoder::new();
    let failure = (0..=EVENT_BYTES_MAX / 1000).find_map(|_| decoder.push(endless.as_bytes()).err());
    assert_eq!(failure, Some(DecodeError::TooLong));
    assert_eq!(decoder.push(b"\n\n"), Err(DecodeError::Failed));
    let lines = "data: \n".repeat(EVENT_BYTES_MAX + 1);
    assert_eq!(decode(&[lines.as_bytes()]), Err(DecodeError::TooLong), "empty lines of data count as well");
}

#[test]
fn data_that_is_not_the_events_is_refused() {
    assert_eq!(decode(&[b"data: \xff\n"]), Err(DecodeError::NotUtf8));
    for data in ["{}", "[]", "", "{\"code\":\"unheard_of\"}", "{\"id\":1}"] {
        for name in ["start", "delta", "variant", "done", "error"] {
            let result = decode(&[format!("event: {name}\ndata: {data}\n\n").as_bytes()]);
            assert!(matches!(result, Err(DecodeError::Data { .. })), "{name} {data}: {result:?}");
        }
    }
    let fields = (0..100).map(|n| format!("\"f{n}\":[],")).collect::<Vec<_>>().concat();
    let variant = format!("event: variant\ndata: {{\"id\":\"v1\",\"fields\":{{{fields}\"z\":\"\"}}}}\n\n");
    assert!(decode(&[variant.as_bytes()]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_answered(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..12)) {
        let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        _ = decode(&chunks);
    }

    #[test]
    fn any_lines_are_answered(text in "(event|data|: |:|start|delta|done|\n|\r|\\{|\\}|\"|[a-z]){0,60}") {
        _ = decode(&[text.as_bytes()]);
    }

    #[test]
    fn any_text_travels(text in any::<String>()) {
        let event = Event::Delta(Delta { variant: text.clone(), field: text.clone(), index: 1, text });
        prop_assert_eq!(decode(&[event.encode().as_bytes()]).unwrap(), vec![event]);
    }
}

//! Streams that end well, and streams that do not.

use std::rc::Rc;

use adlib_shared::event::Delta;
use futures::executor::block_on;
use http::Response;

use super::*;
use crate::authenticate::{Caller, KeyId, KeyLimits};
use crate::harness::{Answered, Harness, brief, written};

const MODEL: &str = "sha256:one";

/// What the client gets of a stream in these pieces.
fn relayed(harness: &Harness, pieces: Vec<Result<Bytes, SendError>>) -> Answered {
    harness.expect_model(MODEL);
    let answer = Response::builder().status(200).header("content-type", "text/event-stream; charset=utf-8");
    harness.world().expect(Ok(answer.body(pieces).expect("a valid head")));
    harness.copy(&[("accept", "text/event-stream")], &brief())
}

fn delta(text: &str) -> String {
    let delta = Delta { variant: "v1".into(), field: "post".into(), index: 0, text: text.into() };
    Event::Delta(delta).encode()
}

#[expect(clippy::unnecessary_wraps, reason = "a piece of a stream may as well be an error")]
fn piece(text: impl Into<Bytes>) -> Result<Bytes, SendError> {
    Ok(text.into())
}

fn last_event(answered: &Answered) -> Event {
    let body = answered.body.as_ref().expect("a whole stream");
    Decoder::new().push(body).expect("events").pop().expect("an event")
}

fn kept(harness: &Harness) -> usize {
    harness.world().keys("copy/").len()
}

#[test]
fn a_stream_cut_anywhere_into_pieces_is_kept_at_its_end() {
    let stream = format!("{}{}", delta("Green "), Event::Done(written(MODEL)).encode());
    for size in [1, 7, 64, 100_000] {
        let harness = Harness::new();
        let pieces = stream.as_bytes().chunks(size).map(|chunk| piece(chunk.to_vec())).collect();
        assert_eq!(relayed(&harness, pieces).body.expect("a whole stream"), stream);
        assert_eq!(kept(&harness), 1, "{size}");
    }
}

#[test]
fn a_stream_that_ends_without_done_ends_with_an_error_and_is_not_kept() {
    let harness = Harness::new();
    let answered = relayed(&harness, vec![piece(delta("Green "))]);
    let Event::Error(problem) = last_event(&answered) else { panic!("an error is the last event") };
    assert_eq!(problem.code, Code::OriginFailed);
    assert_eq!(problem.instance.as_deref(), Some(answered.header("x-request-id")));
    assert_eq!(kept(&harness), 0);
}

#[test]
fn a_connection_that_breaks_between_events_ends_with_an_error() {
    for (error, code) in [
        (SendError::Broken("reset".into()), Code::OriginFailed),
        (SendError::Unreachable("gone".into()), Code::OriginFailed),
        (SendError::TimedOut("silence".into()), Code::DeadlineExceeded),
    ] {
        let harness = Harness::new();
        let answered = relayed(&harness, vec![piece(delta("Green ")), Err(error)]);
        assert!(matches!(last_event(&answered), Event::Error(problem) if problem.code == code), "{code}");
        assert_eq!(kept(&harness), 0);
    }
}

#[test]
fn a_connection_that_breaks_inside_an_event_breaks_off_for_the_client_too() {
    let harness = Harness::new();
    let half = &delta("Green ")[..20];
    let answered = relayed(&harness, vec![piece(half.to_owned()), Err(SendError::Broken("reset".into()))]);
    assert_eq!(answered.body, Err(SendError::Broken("reset".into())));
    assert_eq!(kept(&harness), 0);
}

#[test]
fn the_origins_own_error_passes_and_nothing_is_kept() {
    let harness = Harness::new();
    let error = Event::Error(Problem::new(Code::ConstraintUnsatisfied, "no variant held")).encode();
    let stream = format!("{}{error}", delta("Green "));
    let answered = relayed(&harness, vec![piece(stream.clone())]);
    assert_eq!(answered.body.expect("a whole stream"), stream);
    assert_eq!(kept(&harness), 0);
}

#[test]
fn a_copy_that_is_taken_back_by_an_error_is_not_kept() {
    let harness = Harness::new();
    let stream = format!(
        "{}{}",
        Event::Error(Problem::new(Code::Internal, "")).encode(),
        Event::Done(written(MODEL)).encode()
    );
    relayed(&harness, vec![piece(stream)]);
    assert_eq!(kept(&harness), 0);
}

#[test]
fn what_breaks_after_done_does_no_harm() {
    let harness = Harness::new();
    let done = Event::Done(written(MODEL)).encode();
    let answered = relayed(&harness, vec![piece(done.clone()), Err(SendError::Broken("reset".into()))]);
    assert_eq!(answered.body.expect("a whole stream"), done);
    assert_eq!(kept(&harness), 1);
}

#[test]
fn a_stream_that_cannot_be_read_passes_and_is_not_kept() {
    let harness = Harness::new();
    let stream = format!("event: done\ndata: {{}}\n\n{}", Event::Done(written(MODEL)).encode());
    let answered = relayed(&harness, vec![piece(stream.clone())]);
    assert_eq!(answered.body.expect("a whole stream"), stream);
    assert_eq!(kept(&harness), 0);
}

#[test]
fn a_stream_is_bounded() {
    let comment = format!(":{}\n\n", "a".repeat(65_533));
    let done = Event::Done(written(MODEL)).encode();
    let room = STREAM_BYTES_MAX - done.len();
    for (padding, kept_copies) in [(room, 1), (room + 1, 0)] {
        let harness = Harness::new();
        let mut pieces = vec![piece(comment.clone()); padding / comment.len()];
        pieces.push(piece(format!(":{}\n\n", "a".repeat(padding % comment.len() - 3))));
        pieces.push(piece(done.clone()));
        let answered = relayed(&harness, pieces);
        let ended_well = matches!(last_event(&answered), Event::Done(_));
        assert_eq!((ended_well, kept(&harness)), (kept_copies == 1, kept_copies), "{padding}");
    }
}

fn caller() -> Caller {
    let (tenant, name) = ("acme".to_owned(), "tests".to_owned());
    Caller { tenant, name, key: KeyId([1; 8]), scopes: Vec::new(), limits: KeyLimits::default() }
}

#[test]
fn a_client_that_leaves_ends_the_origins_work() {
    let harness = Harness::new();
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    let incoming: Incoming = receiver.map(Ok).boxed_local();
    let head = http::Request::new(()).into_parts().0;
    let mut call = Call::new(head, harness.now_ms, Rc::default(), || 1);
    let grant = block_on(Grant::of(&harness.edge, &mut call, &caller(), 1)).expect("no limits");
    let body = relay(&call, incoming, None, grant);
    assert!(!sender.is_closed());
    drop(body);
    assert!(sender.is_closed());
}

//! Several briefs in one request, and the lines that answer them.

use adlib_shared::batch::{Batch, Line, Outcome};
use adlib_shared::limits::{BATCH_BODY_BYTES_MAX, BATCH_BRIEFS_MAX};
use adlib_shared::problem::{Code, Problem};
use serde_json::{Value, json};

use crate::sample::{brief, copy, smallest, with};

fn parse(body: &Value) -> Result<Batch, Code> {
    Batch::parse(body.to_string().as_bytes(), &["en"]).map_err(|problem| problem.code)
}

#[test]
fn each_brief_is_read_by_itself() {
    let body = json!({"briefs": [smallest(), {"channel": "fax"}, with("/stream", json!(true))]});
    let batch = parse(&body).unwrap();
    assert_eq!(batch.briefs[0], Ok(brief(&smallest())));
    assert!(batch.briefs[1].as_ref().is_err_and(|problem| problem.code == Code::InvalidField));
    assert_eq!(batch.briefs[2], Ok(brief(&smallest())), "lines are no events");
    let briefs: Vec<_> = batch.briefs.iter().flatten().collect();
    let again = Batch::parse(&Batch::to_json(briefs.iter().copied()), &["en"]).unwrap();
    assert_eq!(again.briefs.iter().flatten().collect::<Vec<_>>(), briefs);
}

#[test]
fn a_batch_is_a_list_of_1_to_64_briefs() {
    assert_eq!(
        parse(&json!({"briefs": vec![smallest(); BATCH_BRIEFS_MAX]})).unwrap().briefs.len(),
        BATCH_BRIEFS_MAX
    );
    for body in [
        json!({"briefs": vec![smallest(); BATCH_BRIEFS_MAX + 1]}),
        json!({"briefs": []}),
        json!({"briefs": smallest()}),
        json!({"briefs": [smallest()], "colour": 1}),
        json!({}),
        json!([]),
    ] {
        assert_eq!(parse(&body), Err(Code::InvalidField), "{body}");
    }
}

#[test]
fn a_batch_is_bounded_in_bytes() {
    for (length, code) in [(BATCH_BODY_BYTES_MAX, None), (BATCH_BODY_BYTES_MAX + 1, Some(Code::TooLarge))] {
        let mut body = json!({"briefs": [smallest()]}).to_string();
        body.push_str(&" ".repeat(length - body.len()));
        let read = Batch::parse(body.as_bytes(), &["en"]);
        assert_eq!(read.err().map(|problem| problem.code), code, "{length}");
    }
}

#[test]
fn a_line_reads_back_as_it_was_written() {
    let problem = Problem::new(Code::InfeasibleConstraints, "no").with_field("limits", "too small");
    for outcome in [Outcome::Copy(Box::new(copy())), Outcome::Problem(problem)] {
        let line = Line { index: 63, outcome };
        let bytes = line.encode();
        assert_eq!(bytes.iter().position(|byte| *byte == b'\n'), Some(bytes.len() - 1), "one line");
        assert_eq!(serde_json::from_slice::<Line>(&bytes).unwrap(), line);
    }
    let document: Value =
        serde_json::from_slice(&Line { index: 1, outcome: Outcome::Copy(Box::new(copy())) }.encode())
            .unwrap();
    assert_eq!((&document["index"], &document["copy"]["id"]), (&json!(1), &json!(copy().id)));
}

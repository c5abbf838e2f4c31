//! Batches of briefs, and the lines that answer them.

use adlib_shared::batch::{Batch, Line};
use adlib_shared::brief::Brief;
use serde_json::json;

use crate::{Target, brief};

pub(crate) const TARGET: Target = Target { name: "batch", run, seeds, words: brief::WORDS };

fn run(input: &[u8]) {
    lines(input);
    let Ok(batch) = Batch::parse(input, &["en", "de"]) else { return };
    let good: Vec<&Brief> = batch.briefs.iter().filter_map(|brief| brief.as_ref().ok()).collect();
    assert!(good.iter().all(|brief| !brief.stream), "no brief of a batch asks for events");
    if good.is_empty() {
        return;
    }
    let written = Batch::to_json(good.iter().copied());
    let again = Batch::parse(&written, &["en", "de"]).expect("what was read and written is read again");
    let again: Vec<&Brief> = again.briefs.iter().filter_map(|brief| brief.as_ref().ok()).collect();
    assert_eq!(again, good, "the briefs of a batch are read back as they were written");
    for brief in good {
        let alone = Brief::parse(&brief.to_json(), &["en", "de"]);
        assert_eq!(alone.as_ref(), Ok(brief), "a brief of a batch is one by itself");
    }
}

/// What the origin writes is read by the edge, which writes it again.
fn lines(input: &[u8]) {
    for line in input.split(|byte| *byte == b'\n') {
        let Ok(line) = serde_json::from_slice::<Line>(line) else { continue };
        let written = line.encode();
        assert!(!written[..written.len() - 1].contains(&b'\n'), "a line is one line");
        let again: Line = serde_json::from_slice(&written).expect("what was written is read again");
        assert_eq!(again.index, line.index);
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let briefs = brief::briefs();
    let problem =
        json!({"type": "about:blank", "title": "t", "status": 422, "detail": "d", "code": "invalid_field"});
    [
        json!({ "briefs": briefs }),
        json!({ "briefs": [briefs[0], {"channel": "fax"}, 7] }),
        json!({ "briefs": [] }),
        json!({"index": 3, "problem": problem}),
    ]
    .map(|document| document.to_string().into_bytes())
    .into()
}

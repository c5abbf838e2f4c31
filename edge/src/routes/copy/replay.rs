//! A stored answer as a reply, in the form that is asked for now.

use adlib_shared::copy::{Copy, Variant};
use adlib_shared::event::{Delta, Event, Start};
use adlib_shared::problem::Problem;
use http::header::{AGE, ETAG};

use crate::cache::{Entry, Kind};
use crate::etag;
use crate::failure::Failure;
use crate::reply::{Body, Reply};

/// The reply, or the refusal; `None` where the stored body is not of the form that this version knows.
pub(crate) fn replay(entry: &Entry, age_s: u64, as_events: bool) -> Option<Result<Reply, Failure>> {
    if entry.kind == Kind::Refusal {
        let problem: Problem = serde_json::from_slice(&entry.body).ok()?;
        return Some(Err(Failure { header: Some((AGE, age_s.into())), ..problem.into() }));
    }
    let mut reply = if as_events {
        let copy: Copy = serde_json::from_slice(&entry.body).ok()?;
        Reply::events(Body::Whole(events(copy).into()))
    } else {
        let mut reply = Reply::json(entry.body.clone());
        reply.set(ETAG, etag::strong(entry.digest));
        reply
    };
    reply.set(AGE, age_s);
    Some(Ok(reply))
}

/// All events of a copy, as they would have come: each text in one piece.
fn events(copy: Copy) -> String {
    let start = Start { id: copy.id.clone(), model: copy.model.clone(), seed: copy.seed };
    let mut stream = Event::Start(start).encode();
    for variant in &copy.variants {
        deltas(variant).for_each(|delta| stream.push_str(&Event::Delta(delta).encode()));
        stream.push_str(&Event::Variant(variant.clone()).encode());
    }
    stream.push_str(&Event::Done(copy).encode());
    stream
}

fn deltas(variant: &Variant) -> impl Iterator<Item = Delta> {
    variant.fields.iter().flat_map(move |(field, texts)| {
        texts.iter().enumerate().map(move |(index, text)| Delta {
            variant: variant.id.clone(),
            field: field.to_owned(),
            index,
            text: text.clone(),
        })
    })
}

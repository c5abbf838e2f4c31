//! The end of a reply: with its last byte, or when its client leaves, the request is logged and counted.

use std::rc::Rc;

use futures::stream::{self, StreamExt};

use crate::edge::Edge;
use crate::record::Record;
use crate::reply::Body;
use crate::stats::Stats;
use crate::world::World;

/// Held until the end.
pub struct Ending<W: World> {
    edge: Rc<Edge<W>>,
    record: Option<Record>,
}

impl<W: World> Ending<W> {
    /// The end of the reply of this record, whose last clone it should be.
    pub fn new(edge: Rc<Edge<W>>, record: Record) -> Self {
        Self { edge, record: Some(record) }
    }

    /// The same body, with this end. A whole body has come to its end when the runtime has it.
    pub fn of(self, body: Body) -> Body {
        match body {
            Body::Whole(bytes) => {
                self.complete();
                Body::Whole(bytes)
            }
            Body::Pieces(pieces) => {
                let until_end = stream::unfold((pieces, self), |(mut pieces, ending)| async move {
                    let piece = pieces.next().await;
                    if piece.is_none() {
                        ending.complete();
                    }
                    Some((piece?, (pieces, ending)))
                });
                Body::Pieces(until_end.boxed_local())
            }
        }
    }

    fn complete(&self) {
        if let Some(record) = &self.record {
            record.complete();
        }
    }
}

impl<W: World> Drop for Ending<W> {
    fn drop(&mut self) {
        drop(self.record.take());
        Stats::tell_later(&self.edge);
    }
}

//! The origins, and which of them is asked first.

use std::cmp::Reverse;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream;
use http::Response;
use twox_hash::XxHash3_64;

use super::budget::Budget;
use super::latency::Latency;
use crate::breaker::{Breaker, Pass, Policy};
use crate::settings::OriginUrl;
use crate::world::{Incoming, SendError};

/// How often an origin may fail before it is left alone, and for how long.
pub const PATIENCE: Policy =
    Policy { failures: 5, open_first: Duration::from_secs(1), open_max: Duration::from_secs(30) };

/// What an instance knows about the origins.
#[derive(Debug, Default)]
pub struct Origins {
    all: Vec<Rc<Origin>>,
    /// How often any of them may be asked again.
    pub budget: Budget,
    /// How long answers take that come in one piece.
    pub whole: Latency,
    /// How long streams take to begin.
    pub streams: Latency,
}

/// One origin.
#[derive(Debug)]
pub struct Origin {
    /// Where it is.
    pub url: OriginUrl,
    seed: u64,
    breaker: Rc<Breaker>,
}

impl Origins {
    /// The origins at these addresses.
    pub fn new(urls: &[OriginUrl]) -> Self {
        let origin = |url: &OriginUrl| {
            let seed = XxHash3_64::oneshot(url.to_string().as_bytes());
            Rc::new(Origin { url: url.clone(), seed, breaker: Rc::new(Breaker::new(PATIENCE)) })
        };
        Self { all: urls.iter().map(origin).collect(), ..Self::default() }
    }

    /// All origins in the order in which a prompt that begins so asks them (rendezvous hashing: Thaler and Ravishankar,
    /// 1998). Equal beginnings meet the same origin, whose KV cache still knows them; one that is added or removed moves
    /// only its own share.
    pub fn ranked(&self, prefix: &str) -> Vec<Rc<Origin>> {
        let mut ranked = self.all.clone();
        ranked.sort_by_key(|origin| Reverse(XxHash3_64::oneshot_with_seed(origin.seed, prefix.as_bytes())));
        ranked
    }
}

impl Origin {
    /// Leave to ask it, or how long there is none.
    ///
    /// # Errors
    /// As [`Breaker::admit`].
    pub fn admit(&self) -> Result<Pass, Duration> {
        self.breaker.admit(Instant::now())
    }

    /// Whether nothing speaks against asking it.
    pub fn is_healthy(&self) -> bool {
        self.breaker.is_closed()
    }
}

/// An answer whose body tells the breaker how it ends. One that is dropped before its end, because the client has left,
/// tells nothing.
pub fn watched(answer: Response<Incoming>, mut pass: Pass) -> Response<Incoming> {
    pass.answered();
    answer.map(|body| {
        let watched = stream::unfold((body, Some(pass)), |(mut body, mut pass)| async move {
            let piece = body.next().await;
            match (&piece, pass.take()) {
                (Some(Ok(_)), kept) => pass = kept,
                (None, Some(pass)) => pass.succeeded(),
                // Only a runtime that has lost the client refuses to go on.
                (Some(Err(SendError::Denied(_))), _) | (_, None) => {}
                (Some(Err(_)), Some(pass)) => pass.failed(Instant::now()),
            }
            Some((piece?, (body, pass)))
        });
        watched.boxed_local()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const URLS: [&str; 4] = ["http://a", "http://b", "http://c", "http://d"];

    fn origins(urls: &[&str]) -> Origins {
        let urls: Vec<_> = urls.iter().map(|url| OriginUrl::parse(url).expect("a URL")).collect();
        Origins::new(&urls)
    }

    fn first(origins: &Origins, prefix: usize) -> String {
        origins.ranked(&prefix.to_string())[0].url.to_string()
    }

    #[test]
    fn equal_prefixes_meet_the_same_origin_and_others_spread_evenly() {
        let origins = origins(&URLS);
        for url in URLS {
            let share = (0..4000).filter(|prefix| first(&origins, *prefix) == url).count();
            assert!((900..1100).contains(&share), "{share} of 4000 at {url}");
        }
        assert_eq!(first(&origins, 7), first(&super::tests::origins(&URLS), 7));
    }

    #[test]
    fn the_order_of_the_list_does_not_matter_and_a_lost_origin_moves_only_its_share() {
        let (all, reversed) = (origins(&URLS), origins(&["http://d", "http://c", "http://b", "http://a"]));
        let without = origins(&URLS[..3]);
        for prefix in 0..1000 {
            let before = first(&all, prefix);
            assert_eq!(before, first(&reversed, prefix));
            if before != "http://d" {
                assert_eq!(before, first(&without, prefix));
            }
        }
    }
}

//! Whatever happens to a key: who asks where it happens sees it at once, and everyone else in time.

use proptest::prelude::*;

use super::*;

/// What can happen.
#[derive(Debug, Clone)]
enum Event {
    Rotated { overlap_s: u64 },
    Revoked,
    Passed { ms: u64 },
}

/// A secret that somebody was told.
struct Told {
    key: String,
    ends_s: Option<u64>,
    /// Since when it must not be taken any more, in milliseconds since 1970.
    dead_ms: Option<u64>,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (0..6_u64).prop_map(|overlap_s| Event::Rotated { overlap_s }),
        5 => (1..4000_u64).prop_map(|ms| Event::Passed { ms }),
        1 => Just(Event::Revoked),
    ];
    prop::collection::vec(event, 1..14)
}

/// Makes something happen by this instance, and notes what follows from it.
fn happen(here: &mut Harness, elsewhere: &mut Harness, id: &str, secrets: &mut Vec<Told>, event: &Event) {
    match event {
        Event::Passed { ms } => {
            here.now_ms += ms;
            elsewhere.now_ms += ms;
        }
        Event::Revoked => {
            revoke(here, id);
            for secret in secrets.iter_mut() {
                secret.ends_s = Some(0);
            }
        }
        Event::Rotated { overlap_s } => {
            let rotated = rotate(here, id, *overlap_s);
            // It may be revoked, or have as many secrets as it may.
            if rotated.status == 200 {
                let ends_s = here.now_ms / 1000 + overlap_s;
                for secret in secrets.iter_mut() {
                    secret.ends_s = Some(secret.ends_s.unwrap_or(ends_s).min(ends_s));
                }
                secrets.push(Told { key: told(&rotated).1, ends_s: None, dead_ms: None });
            }
        }
    }
    for secret in secrets {
        let is_dead = secret.ends_s.is_some_and(|ends_s| ends_s <= here.now_ms / 1000);
        secret.dead_ms = secret.dead_ms.or(is_dead.then_some(here.now_ms));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_secret_is_taken_as_long_as_it_lives_and_refused_in_time(events in events()) {
        let mut here = Harness::with(&[("rate_per_minute", "0"), ("failures_per_minute", "0"), ("strikes_max", "0")]);
        let mut elsewhere = here.apart();
        let (id, key) = create(&here, &json!({}));
        let mut secrets = vec![Told { key, ends_s: None, dead_ms: None }];
        for event in &events {
            happen(&mut here, &mut elsewhere, &id, &mut secrets, event);
            for secret in &secrets {
                let there = used(&elsewhere, &secret.key);
                match secret.dead_ms {
                    None => prop_assert_eq!((used(&here, &secret.key), there), (200, 200)),
                    Some(dead_ms) => {
                        prop_assert_eq!(used(&here, &secret.key), 401);
                        prop_assert!(there == 401 || here.now_ms - dead_ms < KNOWN_MS_MAX);
                    }
                }
            }
        }
    }
}

//! Entries of the cache, as a store that was tampered with could hold them.

use adlib_edge::cache::{
    Directives, ENTRY_BODY_BYTES_MAX, Entry, Epochs, Found, Kind, Lifetime, Question, Stamp,
};
use bytes::Bytes;
use twox_hash::XxHash3_128;

use crate::{Target, with_a_bit_changed};

pub(crate) const TARGET: Target = Target { name: "entry", run, seeds, words: &["ADL2"] };

/// Bytes before what the digest covers: the magic and the digest.
const SEAL_BYTES: usize = 20;
const NOW_S: u64 = 1_700_000_000;

fn run(input: &[u8]) {
    opened(input);
    // Nobody finds a digest that holds by chance; what it covers is tried with one that does.
    opened(&[b"ADL2", &XxHash3_128::oneshot(input).to_le_bytes()[..], input].concat());
    sealed(input);
}

/// Bytes that open are an entry that is sealed and opened again, and that no other key finds.
fn opened(bytes: &[u8]) {
    let Ok(entry) = Entry::open(bytes) else { return };
    assert!(entry.body.len() <= ENTRY_BODY_BYTES_MAX);
    assert_eq!(
        bytes[SEAL_BYTES + 4..SEAL_BYTES + 36],
        entry.stamp.key,
        "the key is the one that stands there"
    );
    let (_, again) =
        Entry::seal(entry.stamp.clone(), entry.kind, entry.body.clone()).expect("it was sealed before");
    let again = Entry::open(&again).expect("what is sealed opens");
    assert_eq!((&again.stamp, again.kind, &again.body), (&entry.stamp, entry.kind, &entry.body));
    is_found_by_its_key_alone(bytes, &entry);
}

/// An entry is not opened with a bit changed.
fn sealed(input: &[u8]) {
    let (at, body) = input.split_at(input.len().min(2));
    let epochs = Epochs { hard: 3, soft: 5 };
    let stamp = Stamp { key: [7; 32], scope: "acme".to_owned(), created_s: NOW_S, ttl_s: 60, epochs };
    let Some((entry, bytes)) = Entry::seal(stamp, Kind::Copy, Bytes::copy_from_slice(body)) else { return };
    assert_eq!(Entry::open(&bytes).as_ref(), Ok(&entry), "what is sealed opens");
    assert!(Entry::open(&with_a_bit_changed(&bytes, at)).is_err(), "a changed bit is noticed");
    is_found_by_its_key_alone(&bytes, &entry);
}

fn is_found_by_its_key_alone(bytes: &[u8], entry: &Entry) {
    let Stamp { key, scope, epochs, .. } = &entry.stamp;
    let found = |key: &[u8; 32], scope: &str, hard: u128| {
        let lifetime = Lifetime { ttl_s: 60, while_revalidate_s: 60, if_error_s: 60 };
        let epochs = Epochs { hard, soft: epochs.soft };
        let question =
            Question { key, scope, epochs, lifetime, directives: Directives::default(), now_s: NOW_S };
        let (Found::Hit(held) | Found::Stale(held) | Found::Miss { fallback: Some(held), .. }) =
            question.judge(Some(bytes))
        else {
            return;
        };
        let is_its =
            (*key, scope, hard) == (entry.stamp.key, entry.stamp.scope.as_str(), entry.stamp.epochs.hard);
        assert!(is_its, "an entry is found by its own key, scope and epoch alone");
        assert_eq!(*held.entry, *entry);
    };
    found(key, scope, epochs.hard);
    let mut other_key = *key;
    other_key[31] ^= 1;
    found(&other_key, scope, epochs.hard);
    found(key, &format!("{scope}2"), epochs.hard);
    found(key, scope, epochs.hard ^ 1);
}

fn seeds() -> Vec<Vec<u8>> {
    let seal = |kind, body: Vec<u8>| {
        let epochs = Epochs { hard: 1, soft: 2 };
        let stamp = Stamp { key: [1; 32], scope: "acme".to_owned(), created_s: NOW_S, ttl_s: 7200, epochs };
        Entry::seal(stamp, kind, body.into()).map(|(_, bytes)| bytes).unwrap_or_default()
    };
    let entries = [
        seal(Kind::Copy, b"{\"id\":\"copy_1\"}".to_vec()),
        seal(Kind::Copy, b"{\"variants\":[\"spring\"]}".repeat(100)),
        seal(Kind::Refusal, b"{}".to_vec()),
    ];
    // What the digest covers, so that changes get past it.
    let covered = entries.clone().map(|bytes| bytes[SEAL_BYTES..].to_vec());
    entries.into_iter().chain(covered).collect()
}

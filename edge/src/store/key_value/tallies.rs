//! Counts in the key-value store, which cannot count: each is spread over a few records, of which an instance changes one
//! of its own choice. Two instances that change the same record in the same moment lose the counts of one of them, so
//! the sums are close to the truth and never above it.

use crate::stats::Counts;
use crate::world::{StoreError, World};

/// Records of each name. So many are read to show a sum.
const RECORDS: u128 = 32;

/// Adds to the record that falls to this instance.
pub(super) async fn add<W: World>(
    world: &W,
    name: &str,
    chance: u128,
    counts: &Counts,
) -> Result<(), StoreError> {
    let record = record(name, chance % RECORDS);
    let mut sum = read(world, &record).await?;
    sum.add(counts);
    world.set(&record, &serde_json::to_vec(&sum).unwrap_or_default()).await
}

/// The sum of all records.
pub(super) async fn sum<W: World>(world: &W, name: &str) -> Result<Counts, StoreError> {
    let mut sum = Counts::default();
    for index in 0..RECORDS {
        sum.add(&read(world, &record(name, index)).await?);
    }
    Ok(sum)
}

/// A record; one that cannot be read was written by another version, and is begun anew.
async fn read<W: World>(world: &W, record: &str) -> Result<Counts, StoreError> {
    let stored = world.get(record).await?;
    Ok(stored.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

fn record(name: &str, index: u128) -> String {
    format!("{name}/{index}")
}

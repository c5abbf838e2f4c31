//! Counts in the key-value store, which cannot count: each tenant's are spread over many records, of which an instance
//! changes one of its own choice. Two instances that change the same record in the same moment lose the counts of one of
//! them, so the sums are close to the truth and never above it.
//!
//! Everyone's counts are those of all tenants that are listed, so that to tell is to write one record: a write may keep
//! the whole store waiting for the disk.

use std::collections::BTreeSet;

use super::documents::{read, write};
use crate::hop::NO_TENANT;
use crate::stats::Counts;
use crate::world::{StoreError, World};

/// Records of each tenant. So many are read to show a sum.
const RECORDS: u128 = 128;
/// Most tenants that are listed. What others count is counted for everyone only.
pub(super) const TENANTS_MAX: usize = 256;
/// The record that lists the tenants.
const TENANTS: &str = "counts";

type Tenants = BTreeSet<String>;

/// Adds to the record of a tenant that falls to this instance.
pub(super) async fn add<W: World>(
    world: &W,
    tenant: &str,
    chance: u128,
    counts: &Counts,
) -> Result<(), StoreError> {
    let tenant = if enlist(world, tenant).await? { tenant } else { NO_TENANT };
    let record = record(tenant, chance % RECORDS);
    let mut sum: Counts = read(world, &record).await?;
    sum.add(counts);
    write(world, &record, &sum).await
}

/// The sum of a tenant's records, or of all.
pub(super) async fn sum<W: World>(world: &W, tenant: &str) -> Result<Counts, StoreError> {
    let mut tenants = Tenants::from([tenant.to_owned()]);
    if tenant == NO_TENANT {
        tenants.append(&mut read(world, TENANTS).await?);
    }
    let mut sum = Counts::default();
    for tenant in &tenants {
        for index in 0..RECORDS {
            sum.add(&read(world, &record(tenant, index)).await?);
        }
    }
    Ok(sum)
}

/// Lists a tenant; false where there is no room. Of two that are listed in the same moment one can be lost; it is listed with its
/// next counts.
async fn enlist<W: World>(world: &W, tenant: &str) -> Result<bool, StoreError> {
    if tenant == NO_TENANT {
        return Ok(true);
    }
    let mut tenants: Tenants = read(world, TENANTS).await?;
    if tenants.contains(tenant) {
        return Ok(true);
    }
    if tenants.len() >= TENANTS_MAX {
        return Ok(false);
    }
    tenants.insert(tenant.to_owned());
    write(world, TENANTS, &tenants).await?;
    Ok(true)
}

fn record(tenant: &str, index: u128) -> String {
    format!("counts/{tenant}/{index}")
}

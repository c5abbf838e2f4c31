//! The store over Spin's key-value interface, which has neither compare-and-swap, nor increments, nor a time to live.
//!
//! What follows from that:
//! - Instances that judge the same caller in the same moment can lose a count (see [`limiter`]).
//! - An instance reads epochs and blocks again after [`LAG_MS_MAX`], so a purge or a block is seen that much later. All
//!   blocks lie in one record, and of two that are written in the same moment one can be lost.
//! - Counts can lose some (see [`tallies`]).
//! - Keys are made, rotated and revoked step by step (see [`keys`]).
//! - Leases hold within an instance alone: every instance may ask the origin for the same brief.
//! - Entries lie in a fixed number of slots by the first bits of their key, so that the store cannot grow without end. A
//!   new entry may take an old one's place; the key in the entry tells them apart.

mod documents;
mod keys;
mod leases;
mod limiter;
mod tallies;

use std::collections::BTreeMap;
use std::rc::Rc;

use adlib_shared::key::KeyId;
use adlib_shared::rate::{Decision, Gcra};
use futures::FutureExt;
use futures::future::try_join_all;

use self::leases::Leases;
use self::limiter::Limiter;
use super::{Answer, Lease, NewEntry, NewKey, Store, StoredKey, Visit, Visited};
use crate::block::{Block, Subject};
use crate::limit::{Limit, Meter};
use crate::log;
use crate::memo::Memo;
use crate::stats::Counts;
use crate::world::{StoreError, World};

/// How many entries there can be: with 10,000 of them alive, one new entry in a hundred takes another's slot.
pub const SLOTS: u32 = 1 << 20;
/// How long an instance goes by what it has read of epochs and blocks, in milliseconds.
pub const LAG_MS_MAX: u64 = 1_000;
/// Most blocks that are kept. Beyond them the one that ends first gives way.
pub const BLOCKS_MAX: usize = 1024;
/// Most epochs that an instance remembers.
const EPOCHS_MAX: usize = 4096;

/// The record of all blocks.
const BLOCKS: &str = "blocks";

type Blocks = BTreeMap<String, Block>;

/// The store, and what this instance knows of it.
pub struct KeyValue<W> {
    world: Rc<W>,
    limiter: Limiter,
    leases: Leases,
    epochs: Memo<String, u128>,
    blocks: Memo<(), Rc<Blocks>>,
    /// Which record of each count this instance changes.
    chance: u128,
}

impl<W: World> KeyValue<W> {
    /// The store of this runtime.
    pub fn new(world: Rc<W>) -> Self {
        Self {
            chance: world.entropy(),
            world,
            limiter: Limiter::default(),
            leases: Leases::default(),
            epochs: Memo::new(LAG_MS_MAX, EPOCHS_MAX),
            blocks: Memo::new(LAG_MS_MAX, 1),
        }
    }

    /// The first of these who is blocked.
    async fn blocked(&self, subjects: &[Subject], now_ms: u64) -> Result<Option<(usize, Block)>, StoreError> {
        if subjects.is_empty() {
            return Ok(None);
        }
        let blocks = match self.blocks.get(&(), now_ms) {
            Some(blocks) => blocks,
            None => self.read_blocks(now_ms).await?,
        };
        if blocks.is_empty() {
            return Ok(None);
        }
        let find = |(index, subject): (usize, &Subject)| {
            blocks.get(&subject.name()).filter(|block| block.holds(now_ms)).map(|block| (index, *block))
        };
        Ok(subjects.iter().enumerate().find_map(find))
    }

    async fn read_blocks(&self, now_ms: u64) -> Result<Rc<Blocks>, StoreError> {
        let blocks: Rc<Blocks> = Rc::new(documents::read(&*self.world, BLOCKS).await?);
        self.blocks.put((), Rc::clone(&blocks), now_ms);
        Ok(blocks)
    }

    /// Changes the record of blocks. What no longer counts leaves it.
    async fn change_blocks<T>(
        &self,
        now_ms: u64,
        change: impl FnOnce(&mut Blocks) -> T,
    ) -> Result<T, StoreError> {
        let mut blocks = Blocks::clone(&*self.read_blocks(now_ms).await?);
        let outcome = change(&mut blocks);
        blocks.retain(|_, block| block.is_remembered(now_ms) || block.holds(now_ms));
        while blocks.len() > BLOCKS_MAX {
            let first = blocks.iter().min_by_key(|(_, block)| block.until_ms).map(|(name, _)| name.clone());
            first.and_then(|name| blocks.remove(&name));
        }
        documents::write(&*self.world, BLOCKS, &blocks).await?;
        self.blocks.put((), Rc::new(blocks), now_ms);
        Ok(outcome)
    }

    /// Judges and counts. The store is told after the reply; but before it where less than an eighth of a limit is
    /// left, so that another instance knows in time.
    async fn judge(&self, visit: &Visit<'_>) -> Result<Vec<Decision>, StoreError> {
        let taken = self.limiter.take(&*self.world, visit.limits, visit.now_ms).await?;
        let scarce =
            visit.limits.iter().zip(&taken.decisions).any(|(limit, decision)| {
                decision.allowed && decision.remaining < limit.gcra.burst().div_ceil(8)
            });
        for untold in taken.untold {
            let (world, id) = (Rc::clone(&self.world), visit.id.clone());
            let tell = async move {
                if let Err(error) = untold.tell(&*world).await {
                    log::warn(&id, error);
                }
            };
            if scarce {
                tell.await;
            } else {
                self.world.later(tell);
            }
        }
        Ok(taken.decisions)
    }

    async fn epoch(&self, tag: &str, fresh: u128, now_ms: u64) -> Result<u128, StoreError> {
        if let Some(epoch) = self.epochs.get(tag, now_ms) {
            return Ok(epoch);
        }
        let name = epoch_name(tag);
        let stored = self.world.get(&name).await?;
        let stored = stored.and_then(|bytes| bytes.try_into().ok()).map(u128::from_le_bytes);
        if stored.is_none() {
            self.world.set(&name, &fresh.to_le_bytes()).await?;
        }
        let epoch = stored.unwrap_or(fresh);
        self.epochs.put(tag.to_owned(), epoch, now_ms);
        Ok(epoch)
    }
}

impl<W: World> Store for KeyValue<W> {
    fn visit<'a>(&'a self, visit: Visit<'a>) -> Answer<'a, Visited> {
        async move {
            let mut visited =
                Visited { blocked: self.blocked(visit.subjects, visit.now_ms).await?, ..Visited::default() };
            if visited.blocked.is_none() {
                visited.decisions = self.judge(&visit).await?;
            }
            if !visited.passes() {
                return Ok(visited);
            }
            if let Some(key) = visit.entry {
                visited.entry = self.world.get(&slot(key)).await?;
                let lease = visit.lease.filter(|_| visited.entry.is_none());
                visited.is_leased = lease.is_some_and(|lease| self.leases.acquire(lease, visit.now_ms));
            }
            let known: Option<Vec<u128>> =
                visit.tags.iter().map(|tag| self.epochs.get(tag, visit.now_ms)).collect();
            visited.epochs = if let Some(epochs) = known {
                epochs
            } else {
                let epochs = visit.tags.iter().map(|tag| self.epoch(tag, visit.fresh_epoch, visit.now_ms));
                try_join_all(epochs).await?
            };
            Ok(visited)
        }
        .boxed_local()
    }

    fn settle<'a>(&'a self, limit: &'a Limit, used: u32, now_ms: u64) -> Answer<'a, ()> {
        self.limiter.settle(&*self.world, limit, used, now_ms).boxed_local()
    }

    fn strike(&self, subject: Subject, gcra: Gcra, now_ms: u64) -> Answer<'_, Option<Block>> {
        async move {
            let strike = Limit { meter: Meter::Strikes(subject), gcra, cost: 1 };
            let taken = self.limiter.take(&*self.world, &[strike], now_ms).await?;
            for untold in taken.untold {
                untold.tell(&*self.world).await?;
            }
            if taken.decisions.iter().all(|decision| decision.allowed) {
                return Ok(None);
            }
            let next = |blocks: &mut Blocks| {
                let last = blocks.get(&subject.name()).copied();
                let block = last.filter(|last| last.holds(now_ms)).unwrap_or(Block::after(last, now_ms));
                blocks.insert(subject.name(), block);
                block
            };
            let block = self.change_blocks(now_ms, next).await?;
            self.limiter.forget(&*self.world, &Meter::Strikes(subject)).await?;
            Ok(Some(block))
        }
        .boxed_local()
    }

    fn keep<'a>(&'a self, entry: NewEntry<'a>) -> Answer<'a, bool> {
        async move {
            if entry.lease.is_some_and(|lease| !self.leases.holds(lease)) {
                return Ok(false);
            }
            self.world.set(&slot(entry.key), entry.sealed).await?;
            entry.lease.inspect(|lease| self.leases.release(lease));
            Ok(true)
        }
        .boxed_local()
    }

    fn entry<'a>(&'a self, key: &'a [u8; 32]) -> Answer<'a, Option<Vec<u8>>> {
        async move { self.world.get(&slot(key)).await }.boxed_local()
    }

    fn drop_entry<'a>(&'a self, key: &'a [u8; 32]) -> Answer<'a, ()> {
        async move { self.world.delete(&slot(key)).await }.boxed_local()
    }

    fn acquire<'a>(&'a self, lease: &'a Lease, now_ms: u64) -> Answer<'a, bool> {
        async move { Ok(self.leases.acquire(lease, now_ms)) }.boxed_local()
    }

    fn lead<'a>(
        &'a self,
        lease: &'a Lease,
        entry: &'a [u8; 32],
        now_ms: u64,
    ) -> Answer<'a, (bool, Option<Vec<u8>>)> {
        async move {
            let is_taken = self.leases.acquire(lease, now_ms);
            Ok((is_taken, self.world.get(&slot(entry)).await?))
        }
        .boxed_local()
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()> {
        async move {
            self.leases.release(lease);
            Ok(())
        }
        .boxed_local()
    }

    fn renew<'a>(&'a self, tag: &'a str, epoch: u128) -> Answer<'a, ()> {
        async move {
            self.world.set(&epoch_name(tag), &epoch.to_le_bytes()).await?;
            self.epochs.forget(tag);
            Ok(())
        }
        .boxed_local()
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        async move { self.world.get(name).await }.boxed_local()
    }

    fn set<'a>(&'a self, name: &'a str, value: &'a [u8], _: Option<u64>) -> Answer<'a, ()> {
        async move { self.world.set(name, value).await }.boxed_local()
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        async move { self.world.delete(name).await }.boxed_local()
    }

    fn key(&self, id: KeyId) -> Answer<'_, Option<StoredKey>> {
        keys::find(&*self.world, id).boxed_local()
    }

    fn add_key<'a>(&'a self, new: NewKey<'a>) -> Answer<'a, bool> {
        keys::add(&*self.world, new).boxed_local()
    }

    fn change_secrets<'a>(&'a self, id: KeyId, from: &'a [u8], to: &'a [u8]) -> Answer<'a, bool> {
        keys::change_secrets(&*self.world, id, from, to).boxed_local()
    }

    fn remove_key(&self, id: KeyId) -> Answer<'_, bool> {
        keys::remove(&*self.world, id).boxed_local()
    }

    fn key_ids(&self) -> Answer<'_, Vec<(KeyId, String)>> {
        keys::ids(&*self.world).boxed_local()
    }

    fn count<'a>(&'a self, tenant: &'a str, counts: &'a Counts) -> Answer<'a, ()> {
        tallies::add(&*self.world, tenant, self.chance, counts).boxed_local()
    }

    fn counts<'a>(&'a self, tenant: &'a str) -> Answer<'a, Counts> {
        tallies::sum(&*self.world, tenant).boxed_local()
    }

    fn blocks(&self, now_ms: u64) -> Answer<'_, Vec<(Subject, Block)>> {
        async move {
            let blocks = self.read_blocks(now_ms).await?;
            let holding = blocks.iter().filter(|(_, block)| block.holds(now_ms));
            Ok(holding.filter_map(|(name, block)| Some((Subject::parse(name)?, *block))).collect())
        }
        .boxed_local()
    }

    fn block(&self, subject: Subject, block: Block, now_ms: u64) -> Answer<'_, ()> {
        async move {
            let insert = |blocks: &mut Blocks| blocks.insert(subject.name(), block);
            self.change_blocks(now_ms, insert).await.map(|_| ())
        }
        .boxed_local()
    }

    fn unblock(&self, subject: Subject, now_ms: u64) -> Answer<'_, bool> {
        async move {
            let remove = |blocks: &mut Blocks| blocks.remove(&subject.name());
            self.limiter.forget(&*self.world, &Meter::Strikes(subject)).await?;
            Ok(self.change_blocks(now_ms, remove).await?.is_some_and(|block| block.holds(now_ms)))
        }
        .boxed_local()
    }
}

/// The name of a key's slot.
fn slot(key: &[u8; 32]) -> String {
    let [first, second, third, ..] = *key;
    format!("copy/{:05x}", u32::from_be_bytes([0, first, second, third]) % SLOTS)
}

fn epoch_name(tag: &str) -> String {
    format!("epoch/{tag}")
}

#[cfg(test)]
mod tests;

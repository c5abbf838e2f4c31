//! What all instances share, in one of two stores: Spin's key-value store, or Redis.
//!
//! The operations are those that the edge needs, each in as few round trips as the store allows. What a store cannot do
//! at one stroke, it says at its own place.

pub mod key_value;
pub mod redis;

use std::rc::Rc;

use futures::future::LocalBoxFuture;

use adlib_shared::key::KeyId;
use adlib_shared::rate::{Decision, Gcra};

use crate::block::{Block, Subject};
use crate::limit::Limit;
use crate::request_id::RequestId;
use crate::settings::RedisAddress;
use crate::stats::Counts;
use crate::world::{StoreError, World};

pub use self::key_value::KeyValue;
pub use self::redis::Redis;

/// What a store answers, in time.
pub type Answer<'a, T> = LocalBoxFuture<'a, Result<T, StoreError>>;

/// What one request wants of the store before it is answered.
#[derive(Debug)]
pub struct Visit<'a> {
    /// Whose visit it is, for the log.
    pub id: &'a RequestId,
    /// The instance's clock, in milliseconds since 1970. A store with a clock of its own goes by that.
    pub now_ms: u64,
    /// Who must not be blocked.
    pub subjects: &'a [Subject],
    /// What must not be used up. The request counts in all of them, or in none where one refuses it.
    pub limits: &'a [Limit],
    /// The key of the entry that is looked for.
    pub entry: Option<&'a [u8; 32]>,
    /// What is taken where no entry is found: the lease under which one is made, of one seat.
    pub lease: Option<&'a Lease>,
    /// The tags whose epochs are asked for, such as `tenant/acme`.
    pub tags: &'a [String],
    /// The epoch that a tag is given which has none yet.
    pub fresh_epoch: u128,
}

impl<'a> Visit<'a> {
    /// A visit that wants nothing yet.
    pub const fn new(id: &'a RequestId, now_ms: u64) -> Self {
        Self { id, now_ms, subjects: &[], limits: &[], entry: None, lease: None, tags: &[], fresh_epoch: 0 }
    }
}

/// What a visit found. After a block or a refusal, nothing further was looked up.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Visited {
    /// Who is blocked, by the place among the subjects, and until when.
    pub blocked: Option<(usize, Block)>,
    /// What each limit says, in their order.
    pub decisions: Vec<Decision>,
    /// The entry's bytes.
    pub entry: Option<Vec<u8>>,
    /// Whether the lease was taken.
    pub is_leased: bool,
    /// The epoch of each tag, in their order. Every purge of a tag gives it another one.
    pub epochs: Vec<u128>,
}

impl Visited {
    /// Whether the request may go on.
    pub fn passes(&self) -> bool {
        self.blocked.is_none() && self.decisions.iter().all(|decision| decision.allowed)
    }
}

/// A right to do something for a while, alone or as one of a few. It ends by itself, so that an instance which ends holds
/// nothing up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What is leased, such as `flight/<key>`.
    pub name: String,
    /// Who holds it: a random number.
    pub token: u128,
    /// How many may hold it at once.
    pub seats: u32,
    /// How long it lasts unless it is prolonged, in milliseconds.
    pub lasts_ms: u64,
}

/// An answer that is to be kept.
#[derive(Debug)]
pub struct NewEntry<'a> {
    /// Its key.
    pub key: &'a [u8; 32],
    /// Its bytes, sealed.
    pub sealed: &'a [u8],
    /// For how many seconds it can be of use, stale times included. A store that can forgets it then.
    pub keep_s: u64,
    /// The lease under which it was made, of one seat: the entry is kept only if nobody else has taken it over.
    pub lease: Option<&'a Lease>,
}

/// Most keys in the store.
pub const KEYS_MAX: usize = 4096;

/// What is kept of a key. The record does not change; the secrets do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// What the key is.
    pub record: Vec<u8>,
    /// The hashes of its secrets.
    pub secrets: Vec<u8>,
}

/// A key that is to be kept.
#[derive(Debug)]
pub struct NewKey<'a> {
    /// Which key it is.
    pub id: KeyId,
    /// Whose key it is, for the list.
    pub tenant: &'a str,
    /// What is kept of it.
    pub key: &'a StoredKey,
}

/// A store that the instances share.
pub trait Store {
    /// Asks for everything that one request needs to know.
    fn visit<'a>(&'a self, visit: Visit<'a>) -> Answer<'a, Visited>;

    /// Corrects a limit that let a request pass which took its cost, and then used so much of it.
    fn settle<'a>(&'a self, limit: &'a Limit, used: u32, now_ms: u64) -> Answer<'a, ()>;

    /// Counts something that a subject did wrong, and blocks it where it was too much: `gcra` says what is. The block
    /// comes back where there is a new one.
    fn strike(&self, subject: Subject, gcra: Gcra, now_ms: u64) -> Answer<'_, Option<Block>>;

    /// Keeps an entry and gives its lease back; false where the lease was lost meanwhile.
    fn keep<'a>(&'a self, entry: NewEntry<'a>) -> Answer<'a, bool>;

    /// The entry of a key, without a visit: for those who wait for another request's.
    fn entry<'a>(&'a self, key: &'a [u8; 32]) -> Answer<'a, Option<Vec<u8>>>;

    /// Drops what is kept under a key.
    fn drop_entry<'a>(&'a self, key: &'a [u8; 32]) -> Answer<'a, ()>;

    /// Takes a lease, unless all of its seats are taken. The holder may take it again, which prolongs it.
    fn acquire<'a>(&'a self, lease: &'a Lease, now_ms: u64) -> Answer<'a, bool>;

    /// Takes a lease of one seat, and looks up what it is to bring: the entry of a key.
    fn lead<'a>(
        &'a self,
        lease: &'a Lease,
        entry: &'a [u8; 32],
        now_ms: u64,
    ) -> Answer<'a, (bool, Option<Vec<u8>>)>;

    /// Gives a lease back, if it is still held.
    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()>;

    /// Gives a tag another epoch: whatever was kept under the last one is void.
    fn renew<'a>(&'a self, tag: &'a str, epoch: u128) -> Answer<'a, ()>;

    /// A record, such as that of a key.
    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Vec<u8>>>;

    /// Sets a record. A store that can forgets it after `keep_s` seconds, if there is such a number.
    fn set<'a>(&'a self, name: &'a str, value: &'a [u8], keep_s: Option<u64>) -> Answer<'a, ()>;

    /// Removes a record; it need not be there.
    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;

    /// What is kept of a key.
    fn key(&self, id: KeyId) -> Answer<'_, Option<StoredKey>>;

    /// Keeps a new key, which is then live and listed; false where there are [`KEYS_MAX`] already. After a failure it is
    /// not live.
    fn add_key<'a>(&'a self, new: NewKey<'a>) -> Answer<'a, bool>;

    /// Gives a key other secrets in place of these; false where it is gone, or somebody else has changed them.
    fn change_secrets<'a>(&'a self, id: KeyId, from: &'a [u8], to: &'a [u8]) -> Answer<'a, bool>;

    /// Removes a key; false where there was none. After a failure it may be live still, or only listed still.
    fn remove_key(&self, id: KeyId) -> Answer<'_, bool>;

    /// Every key that is listed, with its tenant. One that is being made or removed may be listed without being there.
    fn key_ids(&self) -> Answer<'_, Vec<(KeyId, String)>>;

    /// Adds to the counts of a tenant, and with them to those of everyone; under [`NO_TENANT`](crate::hop::NO_TENANT) to
    /// everyone's alone.
    fn count<'a>(&'a self, tenant: &'a str, counts: &'a Counts) -> Answer<'a, ()>;

    /// The counts of a tenant; under [`NO_TENANT`](crate::hop::NO_TENANT) those of everyone.
    fn counts<'a>(&'a self, tenant: &'a str) -> Answer<'a, Counts>;

    /// All blocks that hold at this time.
    fn blocks(&self, now_ms: u64) -> Answer<'_, Vec<(Subject, Block)>>;

    /// Blocks somebody, in place of a block that holds already.
    fn block(&self, subject: Subject, block: Block, now_ms: u64) -> Answer<'_, ()>;

    /// Ends a block; false where there was none.
    fn unblock(&self, subject: Subject, now_ms: u64) -> Answer<'_, bool>;
}

/// The store: Redis where its address is set.
pub fn open<W: World>(world: &Rc<W>, redis: Option<&RedisAddress>) -> Rc<dyn Store> {
    let world = Rc::clone(world);
    match redis {
        None => Rc::new(KeyValue::new(world)),
        Some(address) => Rc::new(Redis::new(world, address.clone())),
    }
}

#[cfg(test)]
mod tests;

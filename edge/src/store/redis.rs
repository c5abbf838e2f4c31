//! The store over Redis: one script does a whole visit at one stroke, so limits are exact however many nodes there are.
//!
//! All names share one hash tag, so that a cluster keeps them on one node. Records of keys and epochs do not expire;
//! everything else does. A server that evicts should therefore evict only what expires (`volatile-ttl`).

mod blocks;
mod keys;
mod names;
mod script;
#[cfg(test)]
mod tests;
mod values;

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use adlib_shared::key::KeyId;
use adlib_shared::rate::{Decision, Gcra, State};
use futures::FutureExt;
use futures::future::{Either, select};

use self::blocks::{by_clock, parse_block};
use self::script::{Script, Scripts};
use self::values::{Values, unexpected};
use super::{Answer, Lease, NewEntry, NewKey, Store, StoredKey, Visit, Visited};
use crate::block::{Block, Subject};
use crate::breaker::{Breaker, Policy};
use crate::hop::NO_TENANT;
use crate::limit::Limit;
use crate::settings::RedisAddress;
use crate::stats::Counts;
use crate::world::{StoreError, World};

/// Longest wait for an answer of the server, the connection to it included. A server in the same data centre answers in
/// a millisecond; a request that has waited so long is better answered without it.
pub const ANSWER_TIME_MAX: Duration = Duration::from_millis(250);

/// The least that a wait takes: everything else in the instance has its turn meanwhile.
const TURN: Duration = Duration::from_millis(1);

/// What every name begins with.
const PREFIX: &str = "{adlib}:";

/// How often it may give no answer before it is left alone, and for how long. It is asked at every request, so this is soon
/// known again.
pub const PATIENCE: Policy =
    Policy { failures: 3, open_first: Duration::from_secs(3), open_max: Duration::from_secs(3) };

/// The store, and what this instance knows of it.
pub struct Redis<W> {
    world: Rc<W>,
    address: RedisAddress,
    scripts: Scripts,
    breaker: Rc<Breaker>,
    /// Until when it is left alone because it kept a command waiting: a request waits once, not for each of its commands.
    late_until: Cell<Option<Instant>>,
}

impl<W: World> Redis<W> {
    /// The store on this server.
    pub fn new(world: Rc<W>, address: RedisAddress) -> Self {
        Self {
            world,
            address,
            scripts: Scripts::new(),
            breaker: Rc::new(Breaker::new(PATIENCE)),
            late_until: Cell::default(),
        }
    }

    /// Runs a command within [`ANSWER_TIME_MAX`], unless the server is being left alone.
    async fn command(&self, command: &'static str, arguments: Vec<Vec<u8>>) -> Result<Values, StoreError> {
        let now = Instant::now();
        let is_late = self.late_until.get().is_some_and(|until| now < until);
        let pass = if is_late { None } else { self.breaker.admit(now).ok() };
        let pass =
            pass.ok_or_else(|| StoreError::Unreachable("it did not answer a moment ago".to_owned()))?;
        let Some(answer) = self.in_time(self.world.redis(self.address.expose(), command, arguments)).await
        else {
            let now = Instant::now();
            self.late_until.set(Some(now + ANSWER_TIME_MAX));
            pass.failed(now);
            return Err(StoreError::Unreachable(format!("no answer within {ANSWER_TIME_MAX:?}")));
        };
        match &answer {
            Err(StoreError::Unreachable(_)) => pass.failed(Instant::now()),
            _ => pass.succeeded(),
        }
        answer.map(|values| Values(values.into_iter()))
    }

    /// What comes within [`ANSWER_TIME_MAX`]. In an instance that had no turn for long it may stand right behind the clock,
    /// so it is looked for once more when the time is over.
    async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        let mut answer = pin!(answer);
        for wait in [ANSWER_TIME_MAX, TURN] {
            if let Either::Left((answer, _)) = select(answer.as_mut(), pin!(self.world.sleep(wait))).await {
                return Some(answer);
            }
        }
        None
    }

    /// Takes a lease, the first of these keys; and reads an entry, the second, if there is one.
    async fn take_lease(
        &self,
        keys: Vec<String>,
        lease: &Lease,
    ) -> Result<(bool, Option<Vec<u8>>), StoreError> {
        let mut values = self.run(&self.scripts.acquire, &keys, holding(lease).to_vec()).await?;
        Ok((values.number()? == 1, values.bytes()?))
    }

    /// Runs a script by its digest, and by its text where the server does not know it.
    async fn run(
        &self,
        script: &Script,
        keys: &[String],
        arguments: Vec<Vec<u8>>,
    ) -> Result<Values, StoreError> {
        let with = |script: &str| {
            let mut all = vec![script.as_bytes().to_vec(), keys.len().to_string().into_bytes()];
            all.extend(keys.iter().map(|key| key.clone().into_bytes()));
            all.extend(arguments.iter().cloned());
            all
        };
        match self.command("EVALSHA", with(script.digest())).await {
            Err(StoreError::NoScript) => self.command("EVAL", with(script.text)).await,
            answer => answer,
        }
    }
}

impl<W: World> Store for Redis<W> {
    fn visit<'a>(&'a self, visit: Visit<'a>) -> Answer<'a, Visited> {
        async move {
            let Visit { subjects, limits, entry, lease, tags, fresh_epoch, .. } = visit;
            let lease = lease.filter(|_| entry.is_some());
            let keys: Vec<String> = (subjects.iter().map(names::block))
                .chain(limits.iter().map(|limit| names::meter(&limit.meter)))
                .chain(tags.iter().map(|tag| names::epoch(tag)))
                .chain(entry.map(names::entry))
                .chain(lease.map(names::lease))
                .collect();
            let counts = [subjects.len(), limits.len(), tags.len()];
            let arguments = (counts.iter().map(number))
                .chain([fresh_epoch.to_le_bytes().to_vec()])
                .chain(limits.iter().flat_map(rate))
                .chain(lease.into_iter().flat_map(holding))
                .collect();
            let mut values = self.run(&self.scripts.visit, &keys, arguments).await?;
            let now_ms = values.number()?;
            let (place, block) = (values.number()?, values.bytes()?.unwrap_or_default());
            if let Some(index) = (place as usize).checked_sub(1) {
                let block = parse_block(&block).ok_or_else(unexpected)?;
                let blocked = Some((index, by_clock(block, now_ms, visit.now_ms)));
                return Ok(Visited { blocked, ..Visited::default() });
            }
            let mut visited = Visited::default();
            for limit in limits {
                let decision: Decision = limit.gcra.take(State(values.number()?), limit.cost, now_ms);
                visited.decisions.push(decision);
            }
            if visited.passes() {
                visited.entry = values.bytes()?;
                visited.is_leased = values.number()? == 1;
                for _ in tags {
                    visited.epochs.push(epoch(values.bytes()?)?);
                }
            }
            Ok(visited)
        }
        .boxed_local()
    }

    fn settle<'a>(&'a self, limit: &'a Limit, used: u32, _: u64) -> Answer<'a, ()> {
        async move {
            let arguments = rate(limit).into_iter().chain([number(&used)]).collect();
            self.run(&self.scripts.settle, &[names::meter(&limit.meter)], arguments).await.map(|_| ())
        }
        .boxed_local()
    }

    fn strike(&self, subject: Subject, gcra: Gcra, _: u64) -> Answer<'_, Option<Block>> {
        self.count_strike(subject, gcra).boxed_local()
    }

    fn keep<'a>(&'a self, entry: NewEntry<'a>) -> Answer<'a, bool> {
        async move {
            let (name, seconds) = (names::entry(entry.key), number(&entry.keep_s.max(1)));
            let Some(lease) = entry.lease else {
                let arguments = vec![name.into_bytes(), entry.sealed.to_vec(), b"EX".to_vec(), seconds];
                return self.command("SET", arguments).await.map(|_| true);
            };
            let arguments = vec![entry.sealed.to_vec(), seconds, token(lease)];
            let mut values = self.run(&self.scripts.keep, &[name, names::lease(lease)], arguments).await?;
            Ok(values.number()? == 1)
        }
        .boxed_local()
    }

    fn entry<'a>(&'a self, key: &'a [u8; 32]) -> Answer<'a, Option<Vec<u8>>> {
        async move { self.command("GET", vec![names::entry(key).into_bytes()]).await?.bytes() }.boxed_local()
    }

    fn drop_entry<'a>(&'a self, key: &'a [u8; 32]) -> Answer<'a, ()> {
        async move { self.command("DEL", vec![names::entry(key).into_bytes()]).await.map(|_| ()) }
            .boxed_local()
    }

    fn acquire<'a>(&'a self, lease: &'a Lease, _: u64) -> Answer<'a, bool> {
        let keys = vec![names::lease(lease)];
        async move { Ok(self.take_lease(keys, lease).await?.0) }.boxed_local()
    }

    fn lead<'a>(
        &'a self,
        lease: &'a Lease,
        entry: &'a [u8; 32],
        _: u64,
    ) -> Answer<'a, (bool, Option<Vec<u8>>)> {
        let keys = vec![names::lease(lease), names::entry(entry)];
        self.take_lease(keys, lease).boxed_local()
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()> {
        async move {
            self.run(&self.scripts.release, &[names::lease(lease)], vec![token(lease)]).await.map(|_| ())
        }
        .boxed_local()
    }

    fn renew<'a>(&'a self, tag: &'a str, epoch: u128) -> Answer<'a, ()> {
        async move {
            let arguments = vec![names::epoch(tag).into_bytes(), epoch.to_le_bytes().to_vec()];
            self.command("SET", arguments).await.map(|_| ())
        }
        .boxed_local()
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        async move { self.command("GET", vec![names::prefixed(name).into_bytes()]).await?.bytes() }
            .boxed_local()
    }

    fn set<'a>(&'a self, name: &'a str, value: &'a [u8], keep_s: Option<u64>) -> Answer<'a, ()> {
        async move {
            let mut arguments = vec![names::prefixed(name).into_bytes(), value.to_vec()];
            if let Some(seconds) = keep_s {
                arguments.extend([b"EX".to_vec(), number(&seconds.max(1))]);
            }
            self.command("SET", arguments).await.map(|_| ())
        }
        .boxed_local()
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        async move { self.command("DEL", vec![names::prefixed(name).into_bytes()]).await.map(|_| ()) }
            .boxed_local()
    }

    fn key(&self, id: KeyId) -> Answer<'_, Option<StoredKey>> {
        self.find_key(id).boxed_local()
    }

    fn add_key<'a>(&'a self, new: NewKey<'a>) -> Answer<'a, bool> {
        self.keep_key(new).boxed_local()
    }

    fn change_secrets<'a>(&'a self, id: KeyId, from: &'a [u8], to: &'a [u8]) -> Answer<'a, bool> {
        self.swap_secrets(id, from, to).boxed_local()
    }

    fn remove_key(&self, id: KeyId) -> Answer<'_, bool> {
        self.drop_key(id).boxed_local()
    }

    fn key_ids(&self) -> Answer<'_, Vec<(KeyId, String)>> {
        self.list_keys().boxed_local()
    }

    /// Counts whose answer is lost on the way are told again, and then count twice.
    fn count<'a>(&'a self, tenant: &'a str, counts: &'a Counts) -> Answer<'a, ()> {
        async move {
            let added = |(series, count): (&str, u64)| [series.as_bytes().to_vec(), number(&count)];
            let arguments = counts.iter().flat_map(added).collect();
            let everyone = (tenant != NO_TENANT).then_some(NO_TENANT);
            let keys: Vec<String> = [tenant].into_iter().chain(everyone).map(names::counts).collect();
            self.run(&self.scripts.count, &keys, arguments).await.map(|_| ())
        }
        .boxed_local()
    }

    fn counts<'a>(&'a self, tenant: &'a str) -> Answer<'a, Counts> {
        async move {
            let pairs = self.command("HGETALL", vec![names::counts(tenant).into_bytes()]).await?.pairs();
            let mut counts = Counts::default();
            for (series, count) in pairs {
                counts.put(series, count.parse().map_err(|_| unexpected())?);
            }
            Ok(counts)
        }
        .boxed_local()
    }

    fn blocks(&self, now_ms: u64) -> Answer<'_, Vec<(Subject, Block)>> {
        self.list_blocks(now_ms).boxed_local()
    }

    fn block(&self, subject: Subject, block: Block, now_ms: u64) -> Answer<'_, ()> {
        self.keep_block(subject, block, now_ms).boxed_local()
    }

    fn unblock(&self, subject: Subject, _: u64) -> Answer<'_, bool> {
        self.end_block(subject).boxed_local()
    }
}

fn epoch(bytes: Option<Vec<u8>>) -> Result<u128, StoreError> {
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(unexpected)?;
    Ok(u128::from_le_bytes(bytes))
}

/// What the scripts need of a limit.
fn rate(limit: &Limit) -> [Vec<u8>; 3] {
    [number(&limit.gcra.interval_us()), number(&limit.gcra.window_us()), number(&limit.cost)]
}

fn number(number: &impl ToString) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// What the scripts need to take a lease.
fn holding(lease: &Lease) -> [Vec<u8>; 3] {
    [token(lease), number(&lease.lasts_ms.max(1)), number(&lease.seats)]
}

fn token(lease: &Lease) -> Vec<u8> {
    lease.token.to_le_bytes().to_vec()
}

//! Blocks: what a subject did wrong, until when it is blocked, and the list of those who are. Ends are by the server's clock.

use adlib_shared::rate::Gcra;

use super::values::unexpected;
use super::{Redis, names, number, rate};
use crate::block::{BLOCK_MS_MAX, BLOCK_MS_MIN, Block, DECAY_MS, LEVEL_MAX, Subject};
use crate::limit::{Limit, Meter};
use crate::world::{StoreError, World};

impl<W: World> Redis<W> {
    pub(super) async fn count_strike(
        &self,
        subject: Subject,
        gcra: Gcra,
    ) -> Result<Option<Block>, StoreError> {
        let strike = Limit { meter: Meter::Strikes(subject), gcra, cost: 1 };
        let keys = [names::meter(&strike.meter), names::block(&subject), names::blocks()];
        let numbers = [BLOCK_MS_MIN, BLOCK_MS_MAX, DECAY_MS, LEVEL_MAX.into()];
        let arguments = [subject.name().into_bytes()].into_iter();
        let arguments = arguments.chain(rate(&strike)).chain(numbers.iter().map(number)).collect();
        let mut values = self.run(&self.scripts.strike, &keys, arguments).await?;
        let (_, until_ms, level) = (values.number()?, values.number()?, values.number()? as u32);
        Ok((until_ms > 0).then_some(Block { until_ms, level }))
    }

    pub(super) async fn list_blocks(&self, now_ms: u64) -> Result<Vec<(Subject, Block)>, StoreError> {
        let server_ms = self.now_ms().await?;
        let range = [names::blocks().into_bytes(), number(&server_ms), b"+inf".to_vec()];
        let names = self.command("ZRANGEBYSCORE", range.to_vec()).await?;
        let subjects: Vec<Subject> = names.texts().filter_map(|name| Subject::parse(&name)).collect();
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let keys = subjects.iter().map(|subject| names::block(subject).into_bytes()).collect();
        let mut values = self.command("MGET", keys).await?;
        let mut blocks = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let block = values.bytes()?.and_then(|bytes| parse_block(&bytes));
            let holding = block.filter(|block| block.holds(server_ms));
            blocks.extend(holding.map(|block| (subject, by_clock(block, server_ms, now_ms))));
        }
        Ok(blocks)
    }

    pub(super) async fn keep_block(
        &self,
        subject: Subject,
        block: Block,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let keys = [names::block(&subject), names::blocks()];
        let lasts_ms = block.until_ms.saturating_sub(now_ms).max(1);
        let arguments = vec![subject.name().into_bytes(), number(&lasts_ms), number(&block.level)];
        self.run(&self.scripts.block, &keys, arguments).await.map(|_| ())
    }

    pub(super) async fn end_block(&self, subject: Subject) -> Result<bool, StoreError> {
        let keys = [names::block(&subject), names::strikes(&subject), names::blocks()];
        let arguments = vec![subject.name().into_bytes()];
        Ok(self.run(&self.scripts.unblock, &keys, arguments).await?.number()? == 1)
    }

    /// The server's clock, in milliseconds since 1970.
    async fn now_ms(&self) -> Result<u64, StoreError> {
        let mut parts =
            self.command("TIME", Vec::new()).await?.texts().map_while(|part| part.parse::<u64>().ok());
        let (seconds, micros) = parts.next().zip(parts.next()).ok_or_else(unexpected)?;
        Ok(seconds * 1000 + micros / 1000)
    }
}

/// A block whose end is by the server's clock, with the end by this instance's, as everyone else here reads it.
pub(super) fn by_clock(block: Block, server_ms: u64, now_ms: u64) -> Block {
    Block { until_ms: now_ms + block.until_ms.saturating_sub(server_ms), ..block }
}

/// `until_ms level`.
pub(super) fn parse_block(bytes: &[u8]) -> Option<Block> {
    let (until_ms, level) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
    Some(Block { until_ms: until_ms.parse().ok()?, level: level.parse().ok()? })
}

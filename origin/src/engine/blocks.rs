//! The paged KV cache's bookkeeping: reference-counted blocks, and full blocks of prompts found again by what they hold
//! (prefix caching, as in vLLM; Kwon et al. 2023).
//!
//! No tensor is touched here. A block is *free* (holds nothing), *held* (one or more tables refer to it) or *idle*
//! (nobody refers to it, but it is published and may be found again until it is evicted, least recently used first).

mod prefixes;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use sha2::{Digest, Sha256};

use crate::backend::batch::BLOCK_TOKENS;
pub use prefixes::Prefixes;

/// Names a full block by its tokens and by everything before them: a hash chained from the tenant's salt.
pub type ChainHash = [u8; 32];

/// No block is free, idle or otherwise reclaimable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("out of KV cache blocks")]
pub struct OutOfBlocks;

/// The chained hashes of a prompt's full blocks, first to last.
pub fn chain_hashes(salt: &[u8], tokens: &[u32]) -> Vec<ChainHash> {
    let mut parent: ChainHash = Sha256::digest(salt).into();
    tokens
        .chunks_exact(BLOCK_TOKENS)
        .map(|block| {
            let mut hash = Sha256::new_with_prefix(parent);
            for token in block {
                hash.update(token.to_le_bytes());
            }
            parent = hash.finalize().into();
            parent
        })
        .collect()
}

/// Block counts for the metrics; `free + idle + held` is the pool's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockCounts {
    /// Blocks that hold nothing.
    pub free: usize,
    /// Published blocks that nobody holds.
    pub idle: usize,
    /// Blocks in some table.
    pub held: usize,
}

/// A cheap handle to the pool; tables hold one too, and return their blocks through it when they drop.
#[derive(Debug, Clone)]
pub struct BlockPool(Rc<RefCell<Pool>>);

#[derive(Debug)]
struct Pool {
    blocks: Vec<Block>,
    free: Vec<u32>,
    /// Idle blocks by the time they became idle.
    idle: BTreeMap<u64, u32>,
    published: HashMap<ChainHash, u32>,
    /// The same names, for other threads.
    prefixes: Prefixes,
    /// Counts releases; orders `idle`.
    clock: u64,
}

#[derive(Debug, Clone, Default)]
struct Block {
    references: u32,
    idle_since: u64,
    content: Option<Content>,
}

/// What a published block holds.
#[derive(Debug, Clone)]
struct Content {
    hash: ChainHash,
    tokens: [u32; BLOCK_TOKENS],
}

impl BlockPool {
    /// A pool of `blocks` free blocks; `prefixes` will tell what it has published.
    pub fn new(blocks: usize, prefixes: Prefixes) -> Self {
        prefixes.clear();
        Self(Rc::new(RefCell::new(Pool {
            blocks: vec![Block::default(); blocks],
            free: (0..blocks as u32).rev().collect(),
            idle: BTreeMap::new(),
            published: HashMap::new(),
            prefixes,
            clock: 0,
        })))
    }

    /// How many blocks are in which state.
    pub fn counts(&self) -> BlockCounts {
        let pool = self.0.borrow();
        let (free, idle) = (pool.free.len(), pool.idle.len());
        BlockCounts { free, idle, held: pool.blocks.len() - free - idle }
    }

    /// Blocks that a table could take now.
    pub fn available(&self) -> usize {
        let pool = self.0.borrow();
        pool.free.len() + pool.idle.len()
    }

    /// A table without blocks.
    pub fn empty_table(&self) -> BlockTable {
        BlockTable { pool: self.clone(), blocks: Vec::new() }
    }

    /// The longest run of published blocks that holds exactly the first tokens of `tokens`.
    ///
    /// At least one token is always left over, so that there is a row to take logits from. The tokens are compared
    /// after the hash was found.
    pub fn find_prefix(&self, hashes: &[ChainHash], tokens: &[u32]) -> BlockTable {
        let reusable = tokens.len().saturating_sub(1) / BLOCK_TOKENS;
        let mut table = self.empty_table();
        let mut pool = self.0.borrow_mut();
        for (hash, expected) in hashes.iter().zip(tokens.chunks_exact(BLOCK_TOKENS)).take(reusable) {
            let Some(&block) = pool.published.get(hash) else { break };
            let same = pool.blocks[block as usize].content.as_ref().is_some_and(|c| c.tokens == expected);
            if !same {
                break;
            }
            pool.hold(block);
            table.blocks.push(block);
        }
        drop(pool);
        table
    }
}

impl Pool {
    fn hold(&mut self, id: u32) {
        let block = &mut self.blocks[id as usize];
        if block.references == 0 && block.content.is_some() {
            self.idle.remove(&block.idle_since);
        }
        block.references += 1;
    }

    fn release(&mut self, id: u32) {
        let block = &mut self.blocks[id as usize];
        block.references -= 1;
        if block.references > 0 {
            return;
        }
        if block.content.is_some() {
            self.clock += 1;
            block.idle_since = self.clock;
            self.idle.insert(self.clock, id);
        } else {
            self.free.push(id);
        }
    }

    fn take(&mut self) -> Result<u32, OutOfBlocks> {
        let id = match self.free.pop() {
            Some(id) => id,
            None => self.evict()?,
        };
        self.blocks[id as usize].references = 1;
        Ok(id)
    }

    fn evict(&mut self) -> Result<u32, OutOfBlocks> {
        let (_, id) = self.idle.pop_first().ok_or(OutOfBlocks)?;
        let content = self.blocks[id as usize].content.take().expect("idle blocks are published");
        self.published.remove(&content.hash);
        self.prefixes.remove(&content.hash);
        Ok(id)
    }
}

/// A sequence's blocks, in the order of its positions. Dropping it returns them.
#[derive(Debug)]
pub struct BlockTable {
    pool: BlockPool,
    blocks: Vec<u32>,
}

/// A block whose content must be copied because two sequences will write behind the same tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockCopy {
    /// Source block.
    pub from: u32,
    /// Destination block.
    pub to: u32,
}

impl BlockTable {
    /// The block ids.
    pub fn blocks(&self) -> &[u32] {
        &self.blocks
    }

    /// Tokens that fit.
    pub fn capacity(&self) -> usize {
        self.blocks.len() * BLOCK_TOKENS
    }

    /// Takes blocks until `tokens` fit. On failure the table keeps what it has.
    pub fn grow_to(&mut self, tokens: usize) -> Result<(), OutOfBlocks> {
        while self.capacity() < tokens {
            let block = self.pool.0.borrow_mut().take()?;
            self.blocks.push(block);
        }
        Ok(())
    }

    /// Returns the blocks that lie wholly behind the first `tokens` tokens.
    pub fn truncate_to(&mut self, tokens: usize) {
        let keep = tokens.div_ceil(BLOCK_TOKENS);
        let mut pool = self.pool.0.borrow_mut();
        while self.blocks.len() > keep {
            let block = self.blocks.pop().expect("longer than `keep`");
            pool.release(block);
        }
    }

    /// A second table over the same first `tokens` tokens: full blocks are shared, a partly filled last one is to be copied.
    pub fn fork(&self, tokens: usize) -> Result<(BlockTable, Option<BlockCopy>), OutOfBlocks> {
        let full = tokens / BLOCK_TOKENS;
        let mut table = self.pool.empty_table();
        let mut pool = self.pool.0.borrow_mut();
        for &block in &self.blocks[..full] {
            pool.hold(block);
            table.blocks.push(block);
        }
        if tokens.is_multiple_of(BLOCK_TOKENS) {
            drop(pool);
            return Ok((table, None));
        }
        let taken = pool.take();
        drop(pool);
        let to = taken?;
        table.blocks.push(to);
        Ok((table, Some(BlockCopy { from: self.blocks[full], to })))
    }

    /// Lets the table's `index`-th block, now full and never to be written again, be found by its hash.
    pub fn publish(&self, index: usize, hash: ChainHash, tokens: &[u32]) {
        let mut pool = self.pool.0.borrow_mut();
        let id = self.blocks[index];
        if pool.published.contains_key(&hash) || pool.blocks[id as usize].content.is_some() {
            return;
        }
        let tokens = tokens.try_into().expect("a full block's tokens");
        pool.blocks[id as usize].content = Some(Content { hash, tokens });
        pool.published.insert(hash, id);
        pool.prefixes.insert(hash);
    }
}

impl Drop for BlockTable {
    fn drop(&mut self) {
        self.truncate_to(0);
    }
}

#[cfg(test)]
mod tests;

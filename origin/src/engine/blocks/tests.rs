use super::*;

fn tokens(count: u32) -> Vec<u32> {
    (0..count).collect()
}

fn pool(blocks: usize) -> BlockPool {
    BlockPool::new(blocks, Prefixes::default())
}

/// Fills a table with a prompt's tokens and publishes its full blocks.
fn filled(pool: &BlockPool, prompt: &[u32]) -> BlockTable {
    let mut table = pool.empty_table();
    table.grow_to(prompt.len()).expect("enough blocks");
    for (index, (hash, block)) in
        chain_hashes(b"tenant", prompt).into_iter().zip(prompt.chunks_exact(BLOCK_TOKENS)).enumerate()
    {
        table.publish(index, hash, block);
    }
    table
}

#[test]
fn dropping_a_table_returns_its_blocks() {
    let pool = pool(4);
    let mut table = pool.empty_table();
    table.grow_to(33).expect("three blocks");
    assert_eq!(pool.counts(), BlockCounts { free: 1, idle: 0, held: 3 });
    drop(table);
    assert_eq!(pool.counts(), BlockCounts { free: 4, idle: 0, held: 0 });
}

#[test]
fn the_pool_gives_its_last_block_and_not_one_more() {
    let pool = pool(2);
    let mut table = pool.empty_table();
    assert_eq!(table.grow_to(32), Ok(()));
    assert_eq!(table.grow_to(33), Err(OutOfBlocks));
    assert_eq!(table.blocks().len(), 2);
}

#[test]
fn published_blocks_are_found_again_after_their_table_is_gone() {
    let pool = pool(4);
    let prompt = tokens(40);
    let first = filled(&pool, &prompt);
    let blocks = first.blocks()[..2].to_vec();
    drop(first);
    assert_eq!(pool.counts(), BlockCounts { free: 2, idle: 2, held: 0 });
    let found = pool.find_prefix(&chain_hashes(b"tenant", &prompt), &prompt);
    assert_eq!(found.blocks(), blocks);
}

#[test]
fn a_prefix_always_leaves_a_token_to_compute() {
    let pool = pool(4);
    let prompt = tokens(32);
    drop(filled(&pool, &prompt));
    assert_eq!(pool.find_prefix(&chain_hashes(b"tenant", &prompt), &prompt).blocks().len(), 1);
}

#[test]
fn tenants_do_not_find_each_others_blocks() {
    let pool = pool(4);
    let prompt = tokens(40);
    let _held = filled(&pool, &prompt);
    assert!(pool.find_prefix(&chain_hashes(b"other", &prompt), &prompt).blocks().is_empty());
}

#[test]
fn a_hash_that_lies_is_caught_by_the_tokens() {
    let pool = pool(4);
    let prompt = tokens(40);
    let _held = filled(&pool, &prompt);
    let mut other = prompt.clone();
    other[3] = 99;
    assert!(pool.find_prefix(&chain_hashes(b"tenant", &prompt), &other).blocks().is_empty());
}

#[test]
fn the_least_recently_used_idle_block_is_evicted_first() {
    let pool = pool(2);
    let (old, young) = (tokens(17), (100..117).collect::<Vec<u32>>());
    let mut table = filled(&pool, &old);
    table.truncate_to(16);
    drop(table);
    let mut table = filled(&pool, &young);
    table.truncate_to(16);
    drop(table);
    assert!(pool.find_prefix(&chain_hashes(b"tenant", &old), &old).blocks().is_empty());
    assert_eq!(pool.find_prefix(&chain_hashes(b"tenant", &young), &young).blocks().len(), 1);
}

#[test]
fn a_fork_shares_full_blocks_and_copies_the_partial_one() {
    let pool = pool(4);
    let mut table = pool.empty_table();
    table.grow_to(20).expect("two blocks");
    let (fork, copy) = table.fork(20).expect("one more block");
    assert_eq!(fork.blocks()[0], table.blocks()[0]);
    assert_eq!(copy, Some(BlockCopy { from: table.blocks()[1], to: fork.blocks()[1] }));
    drop(table);
    assert_eq!(pool.counts().held, 2);
}

#[test]
fn a_fork_at_a_block_boundary_takes_no_block() {
    let pool = pool(1);
    let mut table = pool.empty_table();
    table.grow_to(16).expect("one block");
    let (fork, copy) = table.fork(16).expect("no block needed");
    assert_eq!((fork.blocks().len(), copy), (1, None));
    table.truncate_to(0);
    assert_eq!(pool.counts().held, 1);
}

#[test]
fn a_fork_that_fails_returns_what_it_had_taken() {
    let pool = pool(2);
    let mut table = pool.empty_table();
    table.grow_to(20).expect("two blocks");
    assert!(table.fork(20).is_err());
    drop(table);
    assert_eq!(pool.counts().free, 2);
}

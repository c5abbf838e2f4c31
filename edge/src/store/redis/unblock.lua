-- Ends a block, and takes the strikes back with it.
--
-- KEYS  the block, the strikes, the list of blocks
-- ARGV  the subject's name
--
-- Returns 1, or 0 where no block held.
local until_ms = tonumber(string.match(redis.call('GET', KEYS[1]) or '', '^%d+') or 0)
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[1])
return until_ms > now_ms and 1 or 0

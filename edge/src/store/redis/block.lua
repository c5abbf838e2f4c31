-- Blocks somebody, in place of a block that holds already.
--
-- KEYS  the block, the list of blocks
-- ARGV  the subject's name, how long the block lasts in milliseconds, its level
--
-- Returns 0.
local until_ms = now_ms + tonumber(ARGV[2])
redis.call('SET', KEYS[1], string.format('%.0f', until_ms) .. ' ' .. ARGV[3], 'PX', ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now_ms)
redis.call('ZADD', KEYS[2], until_ms, ARGV[1])
return 0

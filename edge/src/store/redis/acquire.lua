-- Takes a lease, or prolongs it for its holder.
--
-- KEYS  the lease: its holders, by when each one's time ends; and an entry, if one is looked for
-- ARGV  the holder's token, how long the lease lasts in milliseconds, how many may hold it
--
-- Returns 1, or 0 where others hold it; and the entry.
local entry = KEYS[2] ~= nil and redis.call('GET', KEYS[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then
    return { 0, entry }
end
redis.call('ZADD', KEYS[1], now_ms + ARGV[2], ARGV[1])
-- Everyone holds it for the same time, so the last one's end is the latest.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { 1, entry }

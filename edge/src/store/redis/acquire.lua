-- Takes a lease, or prolongs it for its holder.
--
-- KEYS  the lease: its holders, by when each one's time ends
-- ARGV  the holder's token, how long the lease lasts in milliseconds, how many may hold it
--
-- Returns 1, or 0 where others hold it.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then
    return 0
end
redis.call('ZADD', KEYS[1], now_ms + ARGV[2], ARGV[1])
-- Everyone holds it for the same time, so the last one's end is the latest.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1

-- What scripts that take leases go on with: a lease's holders are members of a set, by when each one's time ends.
--
-- Takes a lease, or prolongs it for its holder; how long it lasts is in milliseconds. Returns 1, or 0 where others hold it.
local function take(lease, token, lasts_ms, seats)
    redis.call('ZREMRANGEBYSCORE', lease, '-inf', now_ms)
    if not redis.call('ZSCORE', lease, token) and redis.call('ZCARD', lease) >= tonumber(seats) then
        return 0
    end
    redis.call('ZADD', lease, now_ms + lasts_ms, token)
    -- Everyone holds it for the same time, so the last one's end is the latest.
    redis.call('PEXPIRE', lease, lasts_ms)
    return 1
end

-- Keeps an entry, unless somebody else has taken over the lease under which it was made; and gives that back.
--
-- KEYS  the entry, the lease
-- ARGV  the entry's bytes, for how many seconds it is kept, the holder's token
--
-- Returns 1, or 0 where it is not kept.
for _, holder in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now_ms, '+inf')) do
    if holder ~= ARGV[3] then
        return 0
    end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[3])
return 1

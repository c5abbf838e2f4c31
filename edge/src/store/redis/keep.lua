-- Keeps an entry, unless somebody else has taken over the lease under which it was made.
--
-- KEYS  the entry, the lease
-- ARGV  the entry's bytes, for how many seconds it is kept, the holder's token
--
-- Returns 1, or 0 where it is not kept.
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[3] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1

-- Takes a lease, or prolongs it for its holder.
--
-- KEYS  the lease
-- ARGV  the holder's token, how long the lease lasts in milliseconds
--
-- Returns 1, or 0 where somebody else holds it.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1

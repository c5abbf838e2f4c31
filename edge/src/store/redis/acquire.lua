-- Takes a lease, and looks up what it is to bring.
--
-- KEYS  the lease; and an entry, if one is looked for
-- ARGV  the holder's token, how long the lease lasts in milliseconds, how many may hold it
--
-- Returns 1, or 0 where others hold it; and the entry.
local entry = KEYS[2] ~= nil and redis.call('GET', KEYS[2])
return { take(KEYS[1], ARGV[1], ARGV[2], ARGV[3]), entry }

-- Gives a key other secrets, if it is still there and nobody else has changed them.
--
-- KEYS  the key's record, its secrets
-- ARGV  the secrets that were read, and those in their place
--
-- Returns 1, or 0 where nothing is changed.
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('GET', KEYS[2]) ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[2], ARGV[2])
return 1

-- Keeps a new key, which is live and listed with this.
--
-- KEYS  the key's record, its secrets, the list of keys
-- ARGV  the key's id, its tenant, the record, the secrets; how many keys there may be
--
-- Returns 1, or 0 where there are so many already.
if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[5]) then
    return 0
end
redis.call('SET', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[4])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
return 1

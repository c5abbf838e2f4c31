-- Removes a key, its secrets, and its place in the list.
--
-- KEYS  the key's record, its secrets, the list of keys
-- ARGV  the key's id
--
-- Returns how much of it was there.
return redis.call('DEL', KEYS[1], KEYS[2]) + redis.call('HDEL', KEYS[3], ARGV[1])

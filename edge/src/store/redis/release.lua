-- Gives a lease back, if it is still the holder's.
--
-- KEYS  the lease
-- ARGV  the holder's token
redis.call('ZREM', KEYS[1], ARGV[1])
return 0

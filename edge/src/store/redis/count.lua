-- Adds to the counts under a name.
--
-- KEYS  the hash of counts
-- ARGV  each series, and what is added to it
for at = 1, #ARGV, 2 do
    redis.call('HINCRBY', KEYS[1], ARGV[at], ARGV[at + 1])
end
return 0

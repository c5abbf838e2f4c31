-- Adds to counts.
--
-- KEYS  the hashes of counts, to each of which the same is added
-- ARGV  each series, and what is added to it
for _, key in ipairs(KEYS) do
    for at = 1, #ARGV, 2 do
        redis.call('HINCRBY', key, ARGV[at], ARGV[at + 1])
    end
end
return 0

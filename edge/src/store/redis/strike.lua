-- Counts a strike of a subject, and blocks it where there were too many.
--
-- KEYS  the strikes, the block, the list of blocks
-- ARGV  the subject's name; the limit's interval, its window and what is taken of it, the first two in microseconds;
--       the shortest block, the longest block and the time in which one doubling decays, in milliseconds; the highest
--       level
--
-- Returns the time in milliseconds, and the end of the new block and its level, or 0 and 0.
local interval, window, cost = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local shortest, longest, decay, highest =
    tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local now = now_ms * 1000

local state = tonumber(redis.call('GET', KEYS[1]) or 0)
local next_state = math.min(math.max(state, now), now + window) + math.min(interval * cost, window)
if next_state - now <= window then
    redis.call('SET', KEYS[1], string.format('%.0f', next_state), 'PX', math.ceil((next_state - now) / 1000))
    return { now_ms, 0, 0 }
end

-- The same steps as in edge/src/block.rs.
local level = 0
local last_until, last_level = string.match(redis.call('GET', KEYS[2]) or '', '^(%d+) (%d+)$')
if last_until then
    local decayed = math.floor(math.max(now_ms - tonumber(last_until), 0) / decay)
    level = math.min(math.max(tonumber(last_level) + 1 - decayed, 0), highest)
end
local until_ms = now_ms + math.min(shortest * 2 ^ level, longest)
local block = string.format('%.0f %d', until_ms, level)
redis.call('SET', KEYS[2], block, 'PX', until_ms - now_ms + level * decay)
redis.call('DEL', KEYS[1])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now_ms)
redis.call('ZADD', KEYS[3], until_ms, ARGV[1])
return { now_ms, until_ms, level }

-- Corrects what a request took of a limit.
--
-- KEYS  the limit
-- ARGV  its interval and its window in microseconds, what the request took, what it has used
local interval, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_ms * 1000
local state = tonumber(redis.call('GET', KEYS[1]) or 0)
local function cost(units)
    return math.min(interval * tonumber(units), window)
end
-- The same steps as in shared/src/rate.rs; whole numbers of this size are exact in Lua.
local due = math.min(math.max(state, now), now + window) + cost(ARGV[4]) - cost(ARGV[3])
due = math.min(math.max(due, now), now + window)
local lasts_ms = math.ceil((due - now) / 1000)
if lasts_ms > 0 then
    redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', lasts_ms)
else
    redis.call('DEL', KEYS[1])
end
return 0

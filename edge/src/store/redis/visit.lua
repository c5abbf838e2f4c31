-- One visit of a request: who is blocked, what the limits say, the entry, the epochs.
--
-- KEYS  the blocks, the limits, the tags, then an entry, if one is looked for, and at last the lease that is taken where
--       there is no entry
-- ARGV  how many blocks, limits and tags there are; the epoch of a tag that has none; then for each limit its interval,
--       its window and what the request takes of it, the first two in microseconds; at last the lease's token, how long it
--       lasts in milliseconds, how many may hold it
--
-- Returns the time in milliseconds; the place of the first block that holds, or 0, and its value; the state of each
-- limit before this request; the entry; 1 where the lease was taken, else 0; the epochs. What follows a block or a
-- refusal is left out.
local blocks, limits, tags = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = now_ms * 1000

for place = 1, blocks do
    local block = redis.call('GET', KEYS[place])
    if block and tonumber(string.match(block, '^%d+')) > now_ms then
        return { now_ms, place, block }
    end
end

local found = { now_ms, 0, '' }
local next_states, passes = {}, true
for place = 1, limits do
    local interval = tonumber(ARGV[2 + 3 * place])
    local window = tonumber(ARGV[3 + 3 * place])
    local cost = tonumber(ARGV[4 + 3 * place])
    local state = tonumber(redis.call('GET', KEYS[blocks + place]) or 0)
    -- The same steps as in shared/src/rate.rs; whole numbers of this size are exact in Lua.
    local due = math.min(math.max(state, now), now + window)
    next_states[place] = due + math.min(interval * cost, window)
    passes = passes and next_states[place] - now <= window
    found[#found + 1] = state
end
if not passes then
    return found
end
for place = 1, limits do
    local lasts_ms = math.ceil((next_states[place] - now) / 1000)
    if lasts_ms > 0 then
        redis.call('SET', KEYS[blocks + place], string.format('%.0f', next_states[place]), 'PX', lasts_ms)
    end
end

local entry, lease = KEYS[blocks + limits + tags + 1], KEYS[blocks + limits + tags + 2]
-- Nothing that is looked for is nothing that is found: a list of Lua would end at nil.
local value = entry ~= nil and redis.call('GET', entry)
local last = 4 + 3 * limits
found[#found + 1] = value
found[#found + 1] = lease and not value and take(lease, ARGV[last + 1], ARGV[last + 2], ARGV[last + 3]) or 0
for place = 1, tags do
    local key = KEYS[blocks + limits + place]
    local epoch = redis.call('GET', key)
    if not epoch then
        epoch = ARGV[4]
        redis.call('SET', key, epoch)
    end
    found[#found + 1] = epoch
end
return found

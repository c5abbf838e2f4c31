-- What scripts that go by the time begin with: now_ms, the server's clock in milliseconds since 1970.
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

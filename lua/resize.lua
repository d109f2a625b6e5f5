-- Stores a limit that wins over every caller's own until it is cleared, and serves the queue under it.
--
-- KEYS  the eight of common.lua
-- ARGV  1 limit, or 0 to clear  2 client time, us, or 0 for the server's
-- Reply {the override before, or 0}
--
-- Why holders are left alone when the limit falls: a permit was a promise; the number shrinks as they finish.

load('') -- There is no holder whose record could matter.
read_clock(tonumber(ARGV[2]), 0)
start_afresh()
local before = state.limit
put('limit', tonumber(ARGV[1]))
state['until'] = 0
local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
extend(last[2] and math.max(last[2] - now, 0) or 0)
if state.used > 0 then sweep() end
serve()
save()
return {before}

-- The usual release, before all else: the holder of the highest slots, whose acquire was answered, nobody waits, no gap
-- among the slots, no lease over, no stepless clock. Anything else falls through to common.lua and release.lua, which would do the same.
--
-- KEYS, ARGV and reply: those of release.lua.
--
-- Why twice: as in acquire_free.lua.

do
  local id = ARGV[1]
  local got = redis.call('HMGET', KEYS[1], id, 'used', 'high', 'queued', 'wakers', 'until', 'log')
  local function is_zero(text) return not text or text == '0' end

  if got[1] and got[2] == got[3] and got[6] and is_zero(got[4]) and is_zero(got[5]) and is_zero(got[7]) and ARGV[3] == '0' then
    local first, last = string.match(got[1], '^h %d+ %d+ %d+ %d+ %w+ %d+ %d+ (%d+)-(%d+) ')
    if first and tonumber(last) + 1 == tonumber(got[3]) then
      local time = redis.call('TIME')
      local client_us = tonumber(ARGV[4])
      local now_ms = (client_us > 0 and client_us or time[1] * 1000000 + time[2]) / 1000
      local next_lease = redis.call('ZRANGE', KEYS[2], '0', '0', 'WITHSCORES')
      local next_end = tonumber(next_lease[2])
      if next_end and next_end > math.floor(now_ms) and (next_lease[1] == id or redis.call('ZSCORE', KEYS[2], id)) then
        redis.call('ZREM', KEYS[2], id)
        redis.call('HDEL', KEYS[1], id)
        redis.call('HSET', KEYS[1], 'used', first, 'high', first)
        return {1}
      end
    end
  end
end


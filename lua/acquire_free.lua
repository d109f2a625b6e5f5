-- The usual acquire, before all else: a name in use, nobody waits, no gap among the slots, no lease over, tokens of this
-- generation, no limit override, the grace that is on record, no stepless clock. Anything else falls through to common.lua and acquire.lua,
-- which would do the same.
--
-- KEYS, ARGV and reply: those of acquire.lua.
--
-- Why twice: on every call a server makes the functions of common.lua anew, which takes longer than the commands of an
-- acquire. A change of the rules there is a change here; backends/sim/tests/sim/shortcuts.rs compares the two.

do
  local got = redis.call('HMGET', KEYS[1], ARGV[1], 'used', 'high', 'queued', 'wakers', 'limit', 'seen', 'until', 'token',
                         'gen', 'grace', 'log')
  local used, weight, limit = tonumber(got[2]) or 0, tonumber(ARGV[3]), tonumber(ARGV[2])
  local function is_zero(text) return not text or text == '0' end

  if not got[1] and got[8] and used == (tonumber(got[3]) or 0) and used + weight <= limit
    and is_zero(got[12]) and ARGV[9] ~= '-1' and (got[11] or '0') == ARGV[12] and is_zero(got[4]) and is_zero(got[5]) and is_zero(got[6]) then
    local time = redis.call('TIME')
    local us = time[1] * 1000000 + time[2]
    local client_us = tonumber(ARGV[9])
    local now = math.floor((client_us > 0 and client_us or us) / 1000)
    local token = math.max((tonumber(got[9]) or 0) + 1, us)
    local ends = now + tonumber(ARGV[4])

    local next_end = used == 0 and ends or tonumber(redis.call('ZRANGE', KEYS[2], '0', '0', 'WITHSCORES')[2])
    local lives = tonumber(got[8]) >= math.max(ends, math.ceil(token / 1000)) + 3600000 -- keep_ms of common.lua.
    if lives and next_end and next_end > now then
      local info = redis.call('INFO', 'replication')
      local _, label = string.find(info, 'master_replid:', 1, true)
      local generation = redis.call('HMGET', KEYS[7], 'replid', 'base')
      if generation[1] == string.match(info, '^%x+', label + 1) and generation[2] == got[10] then
        redis.call('ZADD', KEYS[2], ends, ARGV[1])
        if used == 0 then redis.call('PEXPIREAT', KEYS[2], got[8]) end
        local last = used + weight - 1
        local printed = string.format('%.0f %.0f', now, token)
        redis.call('HSET', KEYS[1], 'used', last + 1, 'high', last + 1, 'token', token, 'tick', token == us and 1 or 0,
                   'seen', ARGV[2], ARGV[1], 'h ' .. ARGV[3] .. ' ' .. ARGV[2] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5] .. ' '
                   .. ARGV[7] .. ' ' .. printed .. ' ' .. used .. '-' .. last .. ' ' .. ARGV[11])
        local seen = tonumber(got[7]) or 0
        return {1, token, limit, seen ~= limit and seen or 0, used, last}
      end
    end
  end
end


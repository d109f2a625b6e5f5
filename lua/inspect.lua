-- Reads who holds and who waits; changes nothing, so a replica can answer.
--
-- KEYS  the eight of common.lua, of which the first five and the generation are read
-- ARGV  1 most holders and most waiters to list  2 client time, us, or 0 for the server's
-- Reply {now in us, limit override or 0, limit of the last grant, token, live leases, waiters, slots of live leases,
--        grace left in ms, {holder, expiry in ms, record, ...}, {waiter, record, ...}}
--       Where there are more leases than may be listed, tombstones are counted among them.
--
-- Why it does not sweep: looking must not end anybody's lease, whatever the clock of the one who looks.

local time = redis.call('TIME')
local us = tonumber(ARGV[2])
if us == 0 then us = tonumber(time[1]) * 1000000 + tonumber(time[2]) end
local most = tonumber(ARGV[1])

local function number(text) return tonumber(text or nil) or 0 end

local state = redis.call('HMGET', KEYS[1], 'limit', 'seen', 'token', 'used', 'grace', 'gen', 'log', 'last', 'cap')

-- As read_clock of common.lua has it, but nothing goes on because somebody looks.
local wall = math.floor(us / 1000)
local now = wall
if number(state[7]) > 0 then
  now = number(state[7]) + math.max(math.min(wall - number(state[8]), number(state[9])), 0)
end

local function records(ids)
  if #ids == 0 then return {} end
  return redis.call('HMGET', KEYS[1], unpack(ids))
end

local function weight(text) return text and tonumber(string.match(text, '^h (%d+)')) or 0 end

-- Slots of leases that are over: they count as used until a verb sweeps them.
local function ended()
  local slots, from, ids = 0, 0, nil
  repeat
    ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now), 'LIMIT', from, most)
    for _, text in ipairs(records(ids)) do slots = slots + weight(text) end
    from = from + most
  until #ids < most
  return slots
end

-- As in common.lua; of a takeover that no verb has met yet the grace has not begun.
local function grace_left(grace, gen)
  if grace == 0 then return 0 end
  local record = redis.call('HMGET', KEYS[7], 'replid', 'base', 'at')
  local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  if record[1] ~= replid then return grace end
  if number(record[2]) == gen then return 0 end
  return math.max(math.ceil((number(record[3]) - us) / 1000) + grace, 0)
end

local leases = redis.call('ZRANGEBYSCORE', KEYS[2], string.format('(%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, most)
local total = #leases == 2 * most and redis.call('ZCOUNT', KEYS[2], string.format('(%.0f', now), '+inf')
local holders, ids, ends, used = {}, {}, {}, 0
for i = 1, #leases, 2 do
  ids[#ids + 1] = leases[i]
  ends[#ends + 1] = leases[i + 1]
end
for i, text in ipairs(records(ids)) do
  if text and string.sub(text, 1, 1) == 'h' then
    holders[#holders + 1] = ids[i]
    holders[#holders + 1] = string.format('%.0f', ends[i] + wall - now)
    holders[#holders + 1] = text
    used = used + weight(text)
  end
end
if total then used = math.max(number(state[4]) - ended(), used) end

local waiters = {}
for key = 4, 5 do
  local room = most - #waiters / 2
  local waiting = room > 0 and redis.call('ZRANGE', KEYS[key], 0, room - 1) or {}
  for i, text in ipairs(records(waiting)) do
    if text then
      waiters[#waiters + 1] = waiting[i]
      waiters[#waiters + 1] = text
    end
  end
end

return {us, number(state[1]), number(state[2]), number(state[3]), total or #holders / 3,
        redis.call('ZCARD', KEYS[4]) + redis.call('ZCARD', KEYS[5]), used,
        grace_left(number(state[5]), number(state[6])), holders, waiters}

-- Extends live leases of one name to their ttl from now. Never brings an expired one back.
--
-- KEYS  the eight of common.lua
-- ARGV  1 client time, us, or 0 for the server's, then for each lease: holder, ttl in ms, token or 0 for whichever
-- Reply for each lease: 1 held  2 waiting in the queue  3 taken by force  0 absent
--
-- Why it sweeps: a heartbeat of one holder is what frees the slots of another that died.
-- Why it compares tokens: a server that forgot a grant may have given the claim another one since, with other slots: to
-- its place in the queue, or to a late copy of its acquire. Its client knows nothing of that.

read_clock(tonumber(ARGV[1]))
load(ARGV[2])

local reply, leases, longest, freed = {}, {}, 0, false
if absent then
  for i = 2, #ARGV, 3 do reply[#reply + 1] = 0 end
  return reply
end
if ARGV[5] then
  local ids = {}
  for i = 5, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end
  send(function(command, key, ...)
    local asked = {...}
    for i, text in ipairs(redis.call(command, key, ...)) do state[asked[i]] = text end
  end, 'HMGET', KEYS[1], ids)
end
local _, alive = sweep()

for i = 2, #ARGV, 3 do
  local id, ttl, token = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local kind = kind_of(state[id])
  local answer = 0
  if kind == 'h' then
    local expiry = id ~= alive and redis.call('ZSCORE', KEYS[2], id)
    if id ~= alive and not (expiry and tonumber(expiry) > now) then
      end_lease(id, state[id])
      freed = true
    elseif token == '0' or grant_of(state[id]) == token then
      leases[#leases + 1] = now + ttl
      leases[#leases + 1] = id
      longest = math.max(longest, ttl)
      answer = 1
    end
  elseif kind == 'q' or kind == 'n' then
    answer = 2
  elseif kind == 'f' then
    answer = 3
  end
  reply[#reply + 1] = answer
end
if leases[1] then
  send(renew, 'ZADD', KEYS[2], leases)
  extend(longest)
end
if freed then serve() end
save()
return reply

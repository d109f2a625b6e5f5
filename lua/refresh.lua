-- Extends live leases of one name to their ttl from now. Never brings an expired one back.
--
-- KEYS  the eight of common.lua
-- ARGV  1 client time, us, or 0 for the server's, then for each lease: holder, ttl in ms
-- Reply for each lease: 1 held  2 waiting in the queue  3 taken by force  0 absent
--
-- Why it sweeps: a heartbeat of one holder is what frees the slots of another that died.

read_clock(tonumber(ARGV[1]))
local ids, ttls = {}, {}
for i = 2, #ARGV, 2 do
  ids[#ids + 1] = ARGV[i]
  ttls[#ttls + 1] = tonumber(ARGV[i + 1])
end
load(ids)
if loaded['until'] == nil then
  local nobody = {}
  for i = 1, #ids do nobody[i] = 0 end
  return nobody
end
sweep()

local reply, leases, longest, freed = {}, {}, 0, false
for i, id in ipairs(ids) do
  local kind = kind_of(record[id])
  if kind == 'h' then
    local expiry = redis.call('ZSCORE', KEYS[2], id)
    if expiry and tonumber(expiry) > now then
      leases[#leases + 1] = now + ttls[i]
      leases[#leases + 1] = id
      longest = math.max(longest, ttls[i])
      reply[i] = 1
    else
      end_lease(id, record[id])
      freed = true
      reply[i] = 0
    end
  elseif kind == 'q' or kind == 'n' then
    reply[i] = 2
  else
    reply[i] = kind == 'f' and 3 or 0
  end
end
if #leases > 0 then
  in_pieces(leases, renew)
  extend(longest)
end
if freed then serve() end
save()
return reply

-- Raises the limit in force by a number of permits until it is cleared, and serves the queue under it. Idempotent for
-- its id.
--
-- KEYS  the eight of common.lua
-- ARGV  1 id of the addition  2 tombstone, ms  3 permits to add  4 the caller's own limit  5 the largest limit
--       6 client time, us, or 0 for the server's
-- Reply {1, limit in force now}  {0, limit in force}: the sum would be above the largest
--
-- Why a tombstone: a sum that comes twice, unlike a limit that is stored, would count twice.

local id = ARGV[1]
load(id)
read_clock(tonumber(ARGV[6]), 0)
start_afresh()
local limit = state.limit > 0 and state.limit or tonumber(ARGV[4])
if state[id] then return {1, limit} end
local raised = limit + tonumber(ARGV[3])
if raised > tonumber(ARGV[5]) then return {0, limit} end
put('limit', raised)
bury(id, 't', tonumber(ARGV[2]))
serve()
save()
return {1, raised}

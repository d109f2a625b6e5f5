-- Gives a holder's slots back or leaves the queue, and hands what became free to whoever waits. Idempotent; touches
-- no other holder.
--
-- KEYS  the eight of common.lua
-- ARGV  1 holder  2 tombstone, ms  3 1 if an acquire of this holder may still arrive, else 0
--       4 client time, us, 0 for the server's, -1: stepless
-- Reply {1} held until now  {2} waited until now  {3} taken by force before  {0} nothing known of it
--
-- Why a tombstone only where one is needed: over one connection an acquire that was answered cannot arrive again,
-- and a tombstone per release would cost memory for a whole ttl.

local id = ARGV[1]
load(id)
read_clock(tonumber(ARGV[4]), tonumber(ARGV[2]))
start_afresh()

local text = state[id]
local kind = kind_of(text)
local answer = 0
local bury_it = ARGV[3] == '1'

if kind == 'h' then
  local expiry = redis.call('ZSCORE', KEYS[2], id)
  answer = expiry and tonumber(expiry) > now and 1 or 0
  end_lease(id, text)
elseif kind == 'q' or kind == 'n' then
  answer = 2
  waiters().leave(id, text)
elseif kind == 'f' then
  answer = 3
elseif not kind then
  bury_it = true
end

if kind ~= 't' and kind ~= 'f' and bury_it then bury(id, 't', tonumber(ARGV[2])) end
if state.used > 0 then sweep() end
serve()
save()
return {answer}

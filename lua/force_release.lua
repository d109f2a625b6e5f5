-- Takes a permit from its holder, or a waiter out of the queue, tells its process, and serves whoever waits.
--
-- KEYS  the eight of common.lua
-- ARGV  1 holder  2 client time, us, or 0 for the server's
-- Reply {1} held until now  {2} waited until now  {3} taken by force before  {0} nothing known of it
--
-- Why the tombstone says forced: the holder learns at its next heartbeat that an operator did it, even if the
-- message to its inbox is lost, and a waiter that asks again is refused instead of queued anew.

local id = ARGV[1]
load(id)
if absent then return {0} end
read_clock(tonumber(ARGV[2]), 0)

local text = state[id]
local kind = kind_of(text)
local answer = 0

if kind == 'h' or kind == 'q' or kind == 'n' then
  local queue = waiters()
  local claim = queue.parse(text)
  if kind == 'h' then
    local expiry = redis.call('ZSCORE', KEYS[2], id)
    answer = expiry and tonumber(expiry) > now and 1 or 0
    end_lease(id, text)
  else
    answer = 2
    queue.leave(id, text)
  end
  bury(id, 'f', claim.ttl)
  queue.tell(claim.inbox, 'f', id)
elseif kind == 'f' then
  answer = 3
end

if state.used > 0 then sweep() end
serve()
save()
return {answer}

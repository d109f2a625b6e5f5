-- Takes free slots for a claim, joins the queue, or says busy. Sending it again is safe: a holder gets its own
-- grant again with a fresh lease, a waiter its place. A waiter that was handed a permit confirms it this way.
--
-- KEYS  the eight of common.lua
-- ARGV  1 holder  2 limit  3 weight  4 ttl, ms  5 claim window of a hand-off, ms  6 patience, ms  7 inbox
--       8 t try | q queue for a hand-off | n queue for a wake-up  9 client time, us, 0 for the server's, -1: stepless
--       10 most waiters  11 meta, free text  12 for how long others may hold what a server has forgotten, ms; 0: for no time
-- Reply {1, token, limit, other limit or 0, first slot, last slot, ...}    granted
--       {0, used, waiters, look again in ms, limit}                        busy
--       {2, place, look again in ms, waiters, 1 for a new place}           queued
--       {3}  given up before: the holder has a tombstone
--       {4, most waiters}  queue full
--       {5, limit}  weighs more than the limit in force
--
-- Why no newcomer passes a queue even when slots are free: the head may need more of them than there are.
-- Why the grace is the longest that anybody asks for: the one who holds what was forgotten may have the longest lease.

local id = ARGV[1]
local mode = ARGV[8]
local claim = {limit = tonumber(ARGV[2]), weight = tonumber(ARGV[3]), ttl = tonumber(ARGV[4]), meta = ARGV[11]}

load(id)
read_clock(tonumber(ARGV[9]), claim.ttl)
start_afresh()
claim.terms = ARGV[3] .. ' ' .. ARGV[2] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. ARGV[7] .. ' ' .. int(wall)

local function listen()
  if redis.call('HSET', KEYS[6], ARGV[7], now + tonumber(ARGV[6]) + slack) == 1 then keep_key(6) end
end

-- Before anybody is served: a waiter that asks, however late, is there, and keeps its place.
if kind_of(state[id]) == 'q' or kind_of(state[id]) == 'n' then listen() end

local other = state.seen ~= claim.limit and state.seen or 0
local next_end = state.used > 0 and sweep() or nil
local is_alone = state.used + state.queued + state.wakers == 0
grace = math.max(grace, tonumber(ARGV[12]))

local limit, grant = limit_for(claim), granter()

local function granted(token, ranges)
  local reply = {1, token, limit, other}
  for i = 1, #ranges do reply[4 + i] = ranges[i] end
  save()
  return reply
end

local function fits()
  return state.queued == 0 and claim.weight <= limit and state.used + claim.weight <= limit and grace_left() == 0
end

-- A verb serves only so many waiters; after a large resize each that is served passes it on.
local function pass_on()
  if state.used < limit then serve() end
end

local function take()
  if is_alone then grace = tonumber(ARGV[12]) end
  local token, ranges = grant(id, claim, claim.ttl + slack)
  pass_on()
  return granted(token, ranges)
end

-- Most calls come from a newcomer where nobody waits; all that follows is about records and queues.
if not state[id] and fits() then return take() end

local function look_after()
  local left = grace_left()
  if left > 0 then return left end
  local due = next_end and math.max(next_end - now, 0) or claim.ttl
  return slack > 0 and math.min(due, slack) or due -- Or lease time would fall behind.
end

local function queued(key, is_new)
  local place = redis.call('ZRANK', KEYS[key], id) or 0
  if place == 0 then keep_key(key) end
  save()
  return {2, place + 1, look_after(), state.queued + state.wakers, is_new and 1 or 0}
end

local function confirm()
  renew('ZADD', KEYS[2], now + claim.ttl + slack, id)
  extend(claim.ttl)
  pass_on()
  local token, slots = grant_of(state[id])
  return granted(tonumber(token), ranges_of(slots))
end

local text = state[id]
local kind = kind_of(text)

if kind == 'h' then
  local expiry = redis.call('ZSCORE', KEYS[2], id)
  if expiry and tonumber(expiry) > now then return confirm() end
  end_lease(id, text)
  serve()
elseif kind == 't' or kind == 'f' then
  local until_ms = redis.call('ZSCORE', KEYS[2], id)
  if until_ms and tonumber(until_ms) > now then
    save()
    return {3}
  end
  end_lease(id, text)
elseif kind == 'q' then
  if redis.call('ZSCORE', KEYS[4], id) then
    serve()
    if kind_of(state[id]) == 'h' then return confirm() end
    if kind_of(state[id]) == 'q' then
      extend(claim.ttl)
      return queued(4)
    end
  else
    put(id, false)
  end
end

if state.queued > 0 then serve() end

if claim.weight > limit then
  if kind_of(state[id]) == 'n' then waiters().leave(id, state[id]) end
  save()
  return {5, limit}
end

if fits() then
  if kind_of(state[id]) == 'n' then waiters().leave(id, state[id]) end
  return take()
end

if mode == 't' then
  save()
  return {0, state.used, state.queued + state.wakers, look_after(), limit}
end

local key = mode == 'q' and 4 or 5
if kind_of(state[id]) == 'n' then
  if redis.call('ZSCORE', KEYS[5], id) then
    extend(claim.ttl)
    return queued(5)
  end
  put(id, false)
end

local most = tonumber(ARGV[10])
if state.queued + state.wakers >= most then
  save()
  return {4, most}
end
extend(claim.ttl)
if grace > 0 then put('grace', grace) end
put('ticket', state.ticket + 1)
local count = mode == 'q' and 'queued' or 'wakers'
redis.call('ZADD', KEYS[key], state.ticket, id)
listen()
put(count, state[count] + 1)
put(id, mode .. ' ' .. claim.terms .. ' ' .. int(state.ticket) .. ' ' .. claim.meta)
return queued(key, true)

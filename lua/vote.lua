-- Votes for a claim that wants slots on a majority of servers: takes free slots, or exactly those that are named, joins the
-- queue, or says busy. Sending it again is safe: a holder gets its own vote again with a fresh lease. A waiter that was
-- handed slots confirms them this way.
--
-- KEYS  the eight of common.lua
-- ARGV  1-12 as in acquire.lua
--       13 token that is proposed, us; 0 if none  14 the slot to look from; or = and the slots that are wanted, ranges, for
--       which the claim keeps what it has where they are not free, or none, to hold nothing  15 ticket that was agreed on, 0
--       for none
--       16 0: it asks; 1: a majority has voted for these slots, the token takes the place of the one that was voted for;
--       2: and has confirmed it, so the claim holds them; 3: its votes are for different slots, which may be exchanged
-- Reply {1, token, limit, other limit or 0, last token before, highest, us, server, mask, first slot, last slot, ...}
--       {0, used, waiters, look again in ms, limit, highest, us, server}                        busy
--       {2, place, look again in ms, waiters, 1 for a new place, ticket, highest, us, server}   queued
--       {3}  given up before: the holder has a tombstone
--       {4, most waiters}  queue full
--       {5, limit}  weighs more than the limit in force
--       highest: what the next token must be above; us: the server's clock; server: 48 bits of its replication id; mask: bit
--       i is 1 where the i-th slot after the one to look from is free, around at the limit, 52 slots at most.
--
-- Why the last token before a vote is kept in its record: whether the proposal was above it decides, and must be answered
-- again to a claim whose answer was lost.
-- Why the latest proposal is kept there, too: a claim that asks again proposes more each time, so an earlier ballot that
-- arrives late takes no slot from a later one. Who got other slots in an exchange has to ask anew, and counts none till then.
-- Why it votes for nobody within a grace, not even for who is on record: its record may be older than what it has forgotten.
-- Why slots that are named pass the queue: their claim holds them elsewhere already.
-- Why who holds slots may overrule others here: a majority keeps them for it, so none of those has one, as long as none asked
-- later, under a larger token. What was given in another order than elsewhere would else be so for as long as all slots are
-- taken. They get in exchange what the claim had.

local id = ARGV[1]
local mode = ARGV[8]
local claim = {limit = tonumber(ARGV[2]), weight = tonumber(ARGV[3]), ttl = tonumber(ARGV[4]), meta = ARGV[11]}
local proposed, ticket = tonumber(ARGV[13]), tonumber(ARGV[15])
local wanted = string.sub(ARGV[14], 1, 1) == '=' and ranges_of(ARGV[14])

load(id)
read_clock(tonumber(ARGV[9]), claim.ttl)
start_afresh()
claim.terms = ARGV[3] .. ' ' .. ARGV[2] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. ARGV[7] .. ' ' .. int(wall)

local function listen()
  if redis.call('HSET', KEYS[6], ARGV[7], now + tonumber(ARGV[6]) + slack) == 1 then keep_key(6) end
end

if kind_of(state[id]) == 'q' or kind_of(state[id]) == 'n' then listen() end

local other = state.seen ~= claim.limit and state.seen or 0
local next_end = state.used > 0 and sweep() or nil
grace = math.max(grace, tonumber(ARGV[12]))
local limit, slots = limit_for(claim), gaps()
local from = wanted and 0 or tonumber(ARGV[14]) % limit
read_generation()
local server = tonumber(string.sub(generation.replid, 1, 12), 16)

local function mask()
  local bits = 0
  if wanted or limit <= claim.weight then return 0 end
  local window = math.min(52, limit)
  for _, slot in ipairs(slots.pick(from, limit, window)) do
    local place = (slot - from) % limit
    if place < window then bits = bits + 2 ^ place end
  end
  return bits
end

-- What the record of a holder says of its vote: token, slots, the last token before it and the latest proposal, which a
-- holder that was handed its slots does not have.
local function vote_of(text)
  local token, ranges = grant_of(text)
  local before, asked = string.match(ranges, ';(%d+);(%d+)$')
  return {token = tonumber(token), ranges = ranges_of(ranges), before = tonumber(before), asked = tonumber(asked)}
end

local function write(vote)
  put(id, 'h ' .. claim.terms .. ' ' .. int(vote.token) .. ' ' .. text_of(vote.ranges) .. ';' .. int(vote.before) .. ';'
          .. int(vote.asked) .. ' ' .. claim.meta)
end

-- Votes for slots that the claim holds here, under the token that it proposes.
local function cast(ranges)
  local before = last_token()
  put('token', math.max(before, proposed))
  put('gen', generation.base)
  put('tick', proposed - us < 67108864 and 1 or 0) -- Further ahead tokens go on by less than time does.
  write({token = proposed, ranges = ranges, before = before, asked = proposed})
end

local function granted()
  local vote = vote_of(state[id])
  local reply = {1, vote.token, limit, other, vote.before, last_token(), us, server, mask()}
  for _, bound in ipairs(vote.ranges) do reply[#reply + 1] = bound end
  save()
  return reply
end

local function take(ranges)
  cast(ranges)
  extend(claim.ttl)
  slots.occupy(ranges)
  redis.call('ZADD', KEYS[2], now + claim.ttl + slack, id)
  keep_key(2)
  put('seen', claim.limit)
  put('grace', grace > 0 and math.max(grace, claim.ttl) or 0)
  serve()
  return granted()
end

local function confirm()
  local vote = vote_of(state[id])
  if not vote.asked or ARGV[16] ~= '0' and proposed > vote.token and proposed >= vote.asked then
    cast(vote.ranges)
  elseif proposed > vote.asked then
    vote.asked = proposed
    write(vote)
  end
  renew('ZADD', KEYS[2], now + claim.ttl + slack, id)
  extend(claim.ttl)
  serve()
  return granted()
end

local function is_same(ranges, others) return text_of(ranges) == text_of(others) end

-- Whether a holder stays as it is: it has what is wanted, or has asked for what it has since that was wanted.
local function is_as_wanted(text)
  local vote = vote_of(text)
  if not wanted or vote.asked and proposed < vote.asked then return true end
  return is_same(vote.ranges, wanted)
end

-- What is done about votes that differ from server to server; only where a claim names slots, or yields.
local function exchanges()
  local exchanges = {}

  local function slots_of(ranges)
    local list = {}
    for i = 1, #ranges, 2 do
      for slot = ranges[i], ranges[i + 1] do list[#list + 1] = slot end
    end
    return list
  end

  local function had_by(holder) return slots_of(vote_of(state[holder]).ranges) end

  -- The members of a list that are not in the other.
  local function without(list, others)
    local is_other, rest = {}, {}
    for _, slot in ipairs(others) do is_other[slot] = true end
    for _, slot in ipairs(list) do
      if not is_other[slot] then rest[#rest + 1] = slot end
    end
    return rest
  end

  -- Looking through more leases would take too long.
  local function are_few() return state.used <= 4096 and redis.call('ZCARD', KEYS[2]) <= 1024 end

  -- Who has slots here that the claim holds; nil where it does not, or somebody may have won them since.
  local function overruled()
    if ARGV[16] ~= '2' or not are_few() then return nil end
    local others = {}
    for _, owner in ipairs(slots.owners(wanted)) do
      if owner ~= id then
        local vote = vote_of(state[owner])
        if vote.asked and math.max(vote.token, vote.asked) >= proposed then return nil end
        others[#others + 1] = owner
      end
    end
    return others
  end

  -- Hands slots to holders for those that they had, to each as many, and returns what is left. None of them counts what it
  -- had: under its old token it would be as if nobody had had the new ones meanwhile, and a refresh would keep them.
  local function hand_out(pool, holders)
    table.sort(pool)
    local next_slot = 1
    for _, holder in ipairs(holders) do
      local given = {}
      for _ = 1, #had_by(holder) do
        given[#given + 1] = pool[next_slot]
        next_slot = next_slot + 1
      end
      local text = text_of(slots.as_ranges(given))
      put(holder, (string.gsub(state[holder], '^(. %d+ %d+ %d+ %d+ %w+ %d+ )%d+ [%d,-]+[;%d]*', '%1' .. '0 ' .. text)))
    end
    local left = {}
    for i = next_slot, #pool do left[#left + 1] = pool[i] end
    return left
  end

  -- Whether what the claim wants and has not yet is free.
  function exchanges.is_free() return slots.has(slots.as_ranges(without(slots_of(wanted), had_by(id)))) end

  -- Takes the slots that the claim holds from others, who get for them what it had here.
  function exchanges.overrule()
    local others = overruled()
    if not others then return end
    local taken = had_by(id)
    for _, other in ipairs(others) do
      for _, slot in ipairs(had_by(other)) do taken[#taken + 1] = slot end
    end
    slots.occupy(slots.as_ranges(without(slots_of(wanted), taken)))
    local left = hand_out(without(taken, slots_of(wanted)), others)
    give_slots(text_of(slots.as_ranges(left)))
    cast(wanted)
  end

  -- Ends what others have of the slots that the claim holds, where it has nothing to give for them.
  function exchanges.make_room()
    if grace_left() > 0 or wanted[#wanted] >= limit or slots.has(wanted) then return end
    local others, used = overruled() or {}, state.used + claim.weight
    for _, other in ipairs(others) do used = used - #had_by(other) end
    if used > limit then return end
    for _, other in ipairs(others) do end_lease(other, state[other]) end
  end

  -- The claim counts its vote no more. Those of which this is true, or that have not asked since they were handed slots, get
  -- theirs in the order of their ids: servers that gave the same slots to the same claims in another order come to agree.
  function exchanges.yield()
    local vote = vote_of(state[id])
    if not vote.asked or proposed < vote.asked or not are_few() then return end
    local holders, pool = {}, {}
    for _, holder in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
      local text = record_of(holder)
      if kind_of(text) == 'h' and (holder == id or not vote_of(text).asked) then
        holders[#holders + 1] = holder
        for _, slot in ipairs(had_by(holder)) do pool[#pool + 1] = slot end
      end
    end
    table.sort(holders)
    hand_out(pool, holders)
  end

  return exchanges
end

-- The slots to take, if they are to be had.
local function choice()
  if claim.weight > limit or state.used + claim.weight > limit or grace_left() > 0 then return nil end
  if wanted then return wanted[1] and wanted[#wanted] < limit and slots.has(wanted) and wanted end
  if state.queued > 0 then return nil end
  local picked = slots.pick(from, limit, claim.weight)
  return #picked == claim.weight and slots.as_ranges(picked)
end

local function look_after()
  local left = grace_left()
  if left > 0 then return left end
  local due = next_end and math.max(next_end - now, 0) or claim.ttl
  return slack > 0 and math.min(due, slack) or due
end

local function queued(key, is_new)
  local place = redis.call('ZRANK', KEYS[key], id) or 0
  if place == 0 then keep_key(key) end
  local drawn = tonumber(redis.call('ZSCORE', KEYS[key], id) or ticket)
  local reply = {2, place + 1, look_after(), state.queued + state.wakers, is_new and 1 or 0, drawn, last_token(), us, server}
  save()
  return reply
end

local function busy()
  save()
  return {0, state.used, state.queued + state.wakers, look_after(), limit, last_token(), us, server}
end

-- Puts a waiter that is in its queue to the ticket that was agreed on.
local function move(key)
  if ticket == 0 then return end
  put('ticket', math.max(state.ticket, ticket))
  redis.call('ZADD', KEYS[key], ticket, id)
  local waiter = waiters().parse(state[id])
  put(id, kind_of(state[id]) .. ' ' .. waiter.terms .. ' ' .. int(ticket) .. ' ' .. claim.meta)
end

local text = state[id]
local kind = kind_of(text)

local function is_alive()
  local expiry = kind == 'h' and redis.call('ZSCORE', KEYS[2], id)
  return expiry and tonumber(expiry) > now
end

if ARGV[16] == '3' then
  if is_alive() and grace_left() == 0 then exchanges().yield() end
  return busy()
end

if kind == 'h' then
  -- What a server that has restarted remembers may be older than what it has forgotten.
  if grace_left() > 0 then return busy() end
  if is_alive() then
    if is_as_wanted(text) then return confirm() end
    local exchange = exchanges()
    if wanted[1] and (state.used > limit or not exchange.is_free()) then
      exchange.overrule()
      return confirm()
    end
  end
  end_lease(id, text)
  if not wanted or not slots.has(wanted) then serve() end
elseif kind == 't' or kind == 'f' then
  local until_ms = redis.call('ZSCORE', KEYS[2], id)
  if until_ms and tonumber(until_ms) > now then
    save()
    return {3}
  end
  end_lease(id, text)
elseif kind == 'q' or kind == 'n' then
  local key = kind == 'q' and 4 or 5
  if not redis.call('ZSCORE', KEYS[key], id) then
    put(id, false)
  elseif wanted and wanted[1] or mode == 't' then
    waiters().leave(id, text)
  else
    move(key)
    if kind == 'q' and not wanted then serve() end
    if kind_of(state[id]) == 'h' then return confirm() end
    if kind_of(state[id]) == 'q' or wanted and kind_of(state[id]) == 'n' then
      extend(claim.ttl)
      return queued(key)
    end
  end
end

if state.queued > 0 and not wanted then serve() end

if claim.weight > limit then
  if kind_of(state[id]) == 'n' then waiters().leave(id, state[id]) end
  if wanted then serve() end
  save()
  return {5, limit}
end

if wanted and wanted[1] then exchanges().make_room() end
local ranges = choice()
if ranges then
  if kind_of(state[id]) == 'n' then waiters().leave(id, state[id]) end
  return take(ranges)
end
if wanted and mode == 't' then serve() end
if mode == 't' then return busy() end

local key = mode == 'q' and 4 or 5
if kind_of(state[id]) == 'n' then
  extend(claim.ttl)
  return queued(5)
end

local most = tonumber(ARGV[10])
if state.queued + state.wakers >= most then
  if wanted then serve() end
  save()
  return {4, most}
end
extend(claim.ttl)
if grace > 0 then put('grace', grace) end
local drawn = ticket > 0 and ticket or math.max(proposed, state.ticket + 1)
put('ticket', math.max(state.ticket, drawn))
redis.call('ZADD', KEYS[key], drawn, id)
listen()
local count = mode == 'q' and 'queued' or 'wakers'
put(count, state[count] + 1)
put(id, mode .. ' ' .. claim.terms .. ' ' .. int(drawn) .. ' ' .. claim.meta)
if wanted then serve() end -- What it has given back goes to who came first, and be that the same one.
return queued(key, true)

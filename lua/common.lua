-- Shared by the verbs that change a semaphore; prepended to each of them.
--
-- KEYS (one hash tag for 1-6; see lua/README.md for fields and formats)
--   1 state    HASH   counters, last token, limit override, one record per holder, waiter or tombstone
--   2 leases   ZSET   holder id -> expiry, ms
--   3 free     ZSET   free slots below the high-water mark, by number
--   4 queue    ZSET   waiters that are handed a permit, by ticket
--   5 wake     ZSET   waiters that are only woken, by ticket
--   6 inboxes  HASH   inbox of a waiting process -> patience, ms
--   7 generation HASH one per deployment: replid, base, at
--   8 names    ZSET   one per namespace: name -> when its record ends, ms
--
-- Why a table of changes: a verb reads the state with one HMGET and writes it with one HSET, however many of
-- sweep, hand-off and grant happen in between; so a free mutex costs a handful of commands.
--
-- Why some functions are made by others (gaps, granter, waiters): a server makes all functions anew on every call, for
-- about 0.1 us each. A call that grants nothing, and meets no gap and no waiter, does without theirs.

local us, wall, now -- Server time in us, the time of day in ms that keys end by, lease time in ms.
local slack = 0    -- How much longer leases are given, ms.
local state        -- The state hash as it is to be: numbers, 0 if absent, and by id the records, false if absent.
local changed = {} -- Its changed fields in the order of their first change, and as a set.
local absent       -- Whether there was no state.
local waited       -- Whether anybody waited.
local generation   -- What tokens are counted from, once it is read.
local grace = 0    -- How long others may hold what a server has forgotten that was replaced, ms; 0 if nobody wants to know.
local mail         -- Inbox, message, ...

local function int(n) return string.format('%.0f', n) end

-- Runs a command with a list of values, in pieces: Lua unpacks less than 8,000 at a time.
local function send(call, command, key, list)
  for from = 1, #list, 2000 do call(command, key, unpack(list, from, math.min(from + 1999, #list))) end
end

-- Reads the counters and the record of one id.
local function load(id)
  local got = redis.call('HMGET', KEYS[1], 'used', 'high', 'queued', 'wakers', 'ticket', 'limit', 'seen', 'until',
                         'token', 'gen', 'tick', 'grace', 'log', 'last', 'cap', id)
  local ends = tonumber(got[8])
  state = {used = tonumber(got[1]) or 0, high = tonumber(got[2]) or 0, queued = tonumber(got[3]) or 0,
           wakers = tonumber(got[4]) or 0, ticket = tonumber(got[5]) or 0, limit = tonumber(got[6]) or 0,
           seen = tonumber(got[7]) or 0, ['until'] = ends or 0, token = tonumber(got[9]) or 0,
           gen = tonumber(got[10]) or 0, tick = tonumber(got[11]) or 0, grace = tonumber(got[12]) or 0,
           log = tonumber(got[13]) or 0, last = tonumber(got[14]) or 0, cap = tonumber(got[15]) or 0, [id] = got[16]}
  absent = ends == nil
  grace = state.grace
  waited = state.queued + state.wakers > 0
end

local function record_of(id)
  if state[id] == nil then state[id] = redis.call('HGET', KEYS[1], id) end
  return state[id]
end

local function put(field, value)
  if state[field] == value then return end
  state[field] = value
  if changed[field] then return end
  changed[field] = true
  changed[#changed + 1] = field
end

-- Time is the server's, or the client's where that is above 0. With less than 0, or where the record has begun so, it is
-- stepless: lease time goes on by what the server's clock has gone on since the verb before, but never back and never by
-- more than a quarter of the shortest ttl. So a step of the clock, or another server's clock, moves no lease by more; and as
-- much longer is each lease given.
local function read_clock(client_us, ttl)
  local t = redis.call('TIME')
  us = t[1] * 1000000 + t[2]
  if client_us >= 0 and state.log == 0 then
    now = math.floor((client_us > 0 and client_us or us) / 1000)
    wall = now
    return
  end
  wall = math.floor(us / 1000)
  now = state.log > 0 and state.log + math.max(math.min(wall - state.last, state.cap), 0) or wall
  put('log', now)
  put('last', wall)
  local cap = math.floor(ttl / 4)
  local is_alone = state.used + state.queued + state.wakers == 0
  if ttl > 0 and (is_alone or state.cap == 0 or cap < state.cap) then put('cap', cap) end
  slack = state.cap
end

-- Records are one line: a letter for the kind, numbers and ids without spaces, free text last.
--   h weight limit ttl window inbox since token slots meta      holder; slots are ranges, 0-2,5
--   q|n weight limit ttl window inbox since ticket meta         waiter that is handed a permit | only woken
--   t, f                                                        tombstone of a released | forced holder
-- They are joined, not formatted: '%s' ends at a zero byte.
local function kind_of(text) return text and string.sub(text, 1, 1) end

-- The token and the slots of a holder's record.
local function grant_of(text) return string.match(text, '^. %d+ %d+ %d+ %d+ %w+ %d+ (%d+) (%S+)') end

local function keep_key(i) redis.call('PEXPIREAT', KEYS[i], state['until']) end

-- Keys live until nobody can need them: the record's end is extended in steps of slack_ms, so it is rarely written.
local function extend(ttl)
  local keep_ms, slack_ms = 3600000, 600000 -- Tokens are safe while clocks agree within keep_ms.
  local override_ms = 315360000000          -- Ten years: an override of the limit lasts until it is cleared.
  local need = math.max(wall + ttl, math.ceil(state.token / 1000)) + keep_ms
  if state.limit > 0 then need = math.max(need, wall + override_ms) end
  if state['until'] >= need then return end
  put('until', need + slack_ms)
  local name = string.match(KEYS[1], '^{[^:]*:(.*)}:state$')
  redis.call('ZADD', KEYS[8], state['until'], name)
  local old = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', wall - keep_ms, 'LIMIT', 0, 16)
  if #old > 0 then redis.call('ZREM', KEYS[8], unpack(old)) end
  local last = redis.call('ZRANGE', KEYS[8], -1, -1, 'WITHSCORES')
  redis.call('PEXPIREAT', KEYS[8], last[2] + keep_ms)
  for i = 2, 6 do keep_key(i) end
end

-- Sets when leases end: expiry, id, ... A full server refuses ZADD even to change a score, unless the script has written
-- before; nobody must lose a lease for that.
--
-- Why it always writes: what has not changed is not sent to replicas, and newer servers let WAIT return at once for a
-- connection that has sent them nothing.
local function renew(command, key, ...)
  local renewed = redis.pcall(command, key, 'CH', ...)
  if renewed ~= 0 and type(renewed) == 'number' then return end
  keep_key(2)
  if renewed ~= 0 then redis.call(command, key, ...) end
end

local function save()
  if changed[1] then
    local set, del = {}, {}
    for i = 1, #changed do
      local field = changed[i]
      local value = state[field]
      if value then
        set[#set + 1] = field
        set[#set + 1] = value -- A server prints whole numbers with all their digits, unlike `..`.
      else
        del[#del + 1] = field
      end
    end
    send(redis.call, 'HSET', KEYS[1], set)
    send(redis.call, 'HDEL', KEYS[1], del)
    if changed['until'] then keep_key(1) end
    if waited and state.queued + state.wakers == 0 then redis.call('DEL', KEYS[6]) end
  end
  -- Last, and never an error: a message is a hint, and a refused channel must not hide a grant that was written.
  if mail then
    for i = 1, #mail, 2 do redis.pcall('PUBLISH', 'semafence:inbox:' .. mail[i], mail[i + 1]) end
  end
end

-- Slots: the lowest free ones first. Free are the members of `free` and everything from `high` on, so
-- high - used is the number of members. Ranges are lists: first, last, first, last, ...
local function ranges_of(slots)
  local ranges = {}
  for first, last in string.gmatch(slots, '(%d+)-(%d+)') do
    ranges[#ranges + 1] = tonumber(first)
    ranges[#ranges + 1] = tonumber(last)
  end
  return ranges
end

local function text_of(ranges)
  local texts = {}
  for i = 1, #ranges, 2 do texts[#texts + 1] = ranges[i] .. '-' .. ranges[i + 1] end
  return table.concat(texts, ',')
end

local function gaps()
  local gaps = {}

  function gaps.add(first, last)
    local add = {}
    for slot = first, last do
      add[#add + 1] = slot
      add[#add + 1] = slot
    end
    send(redis.call, 'ZADD', KEYS[3], add)
  end

  -- The ids of all holders, and their ranges.
  local function holders()
    local ids, ranges = {}, {}
    for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
      local text = record_of(id)
      if kind_of(text) == 'h' then
        local _, slots = grant_of(text)
        ids[#ids + 1] = id
        ranges[#ids] = ranges_of(slots)
      end
    end
    return ids, ranges
  end

  -- The key of free slots was evicted or deleted: free is what no lease holds.
  local function find()
    local held, _, all = {}, holders()
    for _, ranges in ipairs(all) do
      for i = 1, #ranges, 2 do held[#held + 1] = {ranges[i], ranges[i + 1]} end
    end
    table.sort(held, function(a, b) return a[1] < b[1] end)
    local from = 0
    for _, range in ipairs(held) do
      gaps.add(from, range[1] - 1)
      from = range[2] + 1
    end
    gaps.add(from, state.high - 1)
    keep_key(3)
  end

  -- For who does not take the lowest ones, and so does not see that some are missing.
  local function complete()
    if state.high > state.used and redis.call('ZCARD', KEYS[3]) < state.high - state.used then find() end
  end

  -- Slots in ascending order, as ranges.
  function gaps.as_ranges(slots)
    local ranges = {}
    for _, slot in ipairs(slots) do
      if ranges[#ranges] ~= slot - 1 then
        ranges[#ranges + 1] = slot
        ranges[#ranges + 1] = slot
      end
      ranges[#ranges] = slot
    end
    return ranges
  end

  -- The lowest ones, as ranges, and how many there were.
  function gaps.take(count)
    local popped = redis.call('ZPOPMIN', KEYS[3], count)
    if #popped < 2 * count then
      find()
      popped = redis.call('ZPOPMIN', KEYS[3], count)
    end
    local slots = {}
    for i = 1, #popped, 2 do slots[#slots + 1] = tonumber(popped[i]) end
    return gaps.as_ranges(slots), #slots
  end

  -- Whether all of these slots are free.
  function gaps.has(ranges)
    complete()
    for i = 1, #ranges, 2 do
      for slot = ranges[i], math.min(ranges[i + 1], state.high - 1) do
        if not redis.call('ZSCORE', KEYS[3], slot) then return false end
      end
    end
    return true
  end

  -- Who holds any of these slots.
  function gaps.owners(ranges)
    local function overlaps(others)
      for i = 1, #ranges, 2 do
        for j = 1, #others, 2 do
          if ranges[i] <= others[j + 1] and others[j] <= ranges[i + 1] then return true end
        end
      end
    end
    local owners, ids, all = {}, holders()
    for i, id in ipairs(ids) do
      if overlaps(all[i]) then owners[#owners + 1] = id end
    end
    return owners
  end

  -- Free ones from `from` on and around at `limit`, at most `count`, in ascending order.
  function gaps.pick(from, limit, count)
    complete()
    local slots = {}
    local function pick(first, last)
      local left = count - #slots
      if first > last or left == 0 then return end
      if state.high > state.used then
        for _, slot in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], first, last, 'LIMIT', 0, left)) do
          slots[#slots + 1] = tonumber(slot)
        end
      end
      for slot = math.max(first, state.high), math.min(last, math.max(first, state.high) + count - #slots - 1) do
        slots[#slots + 1] = slot
      end
    end
    pick(from, limit - 1)
    pick(0, from - 1)
    table.sort(slots)
    return slots
  end

  -- Takes these slots, which are free.
  function gaps.occupy(ranges)
    for i = 1, #ranges, 2 do
      local first, last = ranges[i], ranges[i + 1]
      local free = {}
      for slot = first, math.min(last, state.high - 1) do free[#free + 1] = slot end
      send(redis.call, 'ZREM', KEYS[3], free)
      if first > state.high then
        gaps.add(state.high, first - 1)
        keep_key(3)
      end
      put('high', math.max(state.high, last + 1))
      put('used', state.used + last - first + 1)
    end
  end

  return gaps
end

local function give_slots(slots)
  local ranges = ranges_of(slots)
  for i = #ranges, 1, -2 do
    local first, last = ranges[i - 1], ranges[i]
    if last == state.high - 1 then
      put('high', first)
    else
      gaps().add(first, last)
      keep_key(3)
    end
    put('used', state.used - (last - first + 1))
  end
  if state.used == 0 then
    if state.high > 0 then redis.call('DEL', KEYS[3]) end
    put('high', 0)
  end
end

-- What tokens are counted from: the generation record of the deployment, raised if it is of another server.
local function read_generation()
  if generation then return end
  local info = redis.call('INFO', 'replication')
  local _, label = string.find(info, 'master_replid:', 1, true) -- Plain: a pattern over the text takes 0.5 us more.
  local replid = string.match(info, '^%x+', label + 1)
  local record = redis.call('HMGET', KEYS[7], 'replid', 'base', 'at')
  local base, at = tonumber(record[2]), tonumber(record[3])
  if record[1] ~= replid then
    base = math.max((base or 0) + 1048576 + tonumber(string.sub(replid, 1, 5), 16), us + 4294967296)
    at = us
    redis.call('HSET', KEYS[7], 'replid', replid, 'base', base, 'at', at)
  end
  generation = {replid = replid, base = base, at = at}
end

-- For how many ms more nothing of this name may be granted: another server was the last to grant, others may hold what
-- this one has forgotten, and it has not served for as long as their leases can last.
local function grace_left()
  if grace == 0 then return 0 end
  read_generation()
  if state.gen == generation.base then return 0 end
  return math.max(math.ceil((generation.at - us) / 1000) + grace, 0)
end

-- Whether the list of names says that there should be a record.
local function is_listed()
  local ends = redis.call('ZSCORE', KEYS[8], string.match(KEYS[1], '^{[^:]*:(.*)}:state$'))
  return ends and tonumber(ends) > wall
end

-- What the next token of the name must be above: its last, or where that is of another generation, all that may have been
-- given. A name whose record is gone before its time (evicted, deleted) may have had tokens ahead of the clock; a tombstone
-- or a waiter may have begun another record since.
local function last_token()
  read_generation()
  if state.gen == generation.base then return state.token end
  local step = state.tick == 1 and 67108864 or 1048576
  local jitter = tonumber(string.sub(generation.replid, 1, 5), 16)
  local lost = 0
  if state.token == 0 and is_listed() then lost = generation.base + math.max(us - generation.at, 0) end
  return math.max(state.token + step + jitter, generation.base, lost)
end

-- Makes the function that grants; only where something is granted.
local function granter()
  local function take_slots(count)
    local ranges, taken = {}, 0
    if state.high > state.used then ranges, taken = gaps().take(math.min(state.high - state.used, count)) end
    if taken < count then
      local last = state.high + count - taken - 1
      if ranges[#ranges] == state.high - 1 then
        ranges[#ranges] = last
      else
        ranges[#ranges + 1] = state.high
        ranges[#ranges + 1] = last
      end
      put('high', last + 1)
    end
    put('used', state.used + count)
    return ranges
  end

  -- The rule of fencing tokens: lua/README.md, "Tokens".
  local function next_token()
    local last = last_token()
    -- Without 1 more than the clock: a token that is the clock is marked as such.
    put('token', math.max(last + 1, us))
    put('gen', generation.base)
    put('tick', state.token == us and 1 or 0)
    return state.token
  end

  -- Gives `claim` its slots and token, with a lease of `lease` ms; returns the token and the ranges of the slots.
  local function grant(id, claim, lease)
    local token = next_token()
    local ranges = take_slots(claim.weight)
    extend(math.max(lease, claim.ttl))
    redis.call('ZADD', KEYS[2], now + lease, id)
    if state.used == claim.weight then keep_key(2) end
    put('seen', claim.limit)
    put('grace', grace > 0 and math.max(grace, claim.ttl) or 0)
    put(id, 'h ' .. claim.terms .. ' ' .. int(token) .. ' ' .. text_of(ranges) .. ' ' .. claim.meta)
    return token, ranges
  end

  return grant
end

local function limit_for(claim) return state.limit > 0 and state.limit or claim.limit end

local function waiters()
  local waiters, grant = {}, granter()

  -- What a record of a holder or waiter says; `terms` is what the two have in common.
  function waiters.parse(text)
    local terms, weight, limit, ttl, window, inbox, rest =
      string.match(text, '^. ((%d+) (%d+) (%d+) (%d+) (%w+) %d+) (.*)$')
    return {weight = tonumber(weight), limit = tonumber(limit), ttl = tonumber(ttl), window = tonumber(window),
            inbox = inbox, terms = terms, rest = rest}
  end

  function waiters.tell(inbox, kind, id)
    mail = mail or {}
    mail[#mail + 1] = inbox
    mail[#mail + 1] = kind .. id
  end

  -- One whose queue key was evicted or deleted is not counted any more, or those who came later would be.
  function waiters.leave(id, text)
    if kind_of(text) == 'q' then
      put('queued', math.max(state.queued - redis.call('ZREM', KEYS[4], id), 0))
    else
      put('wakers', math.max(state.wakers - redis.call('ZREM', KEYS[5], id), 0))
    end
    put(id, false)
  end

  local function is_patient(inbox)
    local patience = redis.call('HGET', KEYS[6], inbox)
    return patience and tonumber(patience) >= now
  end

  -- The first waiter of a queue that is still listening; those whose process has gone quiet are dropped.
  local function head_of(key, count)
    for _ = 1, 256 do
      local id = redis.call('ZRANGE', KEYS[key], 0, 0)[1]
      if not id then
        put(count, 0) -- An evicted or deleted queue key must not block newcomers.
        return nil
      end
      local text = record_of(id)
      local waiter = text and (kind_of(text) == 'q' or kind_of(text) == 'n') and waiters.parse(text)
      if waiter and is_patient(waiter.inbox) then return id, waiter, text end
      redis.call('ZREM', KEYS[key], id)
      put(count, math.max(state[count] - 1, 0))
      if text then put(id, false) end
    end
  end

  -- Hands free slots to the queue in ticket order, then wakes one waiter per slot that is left.
  function waiters.serve()
    if grace_left() > 0 then return end
    local served, most = 0, 64
    while state.queued > 0 and served < most do
      local id, waiter, text = head_of(4, 'queued')
      if not id then break end
      local limit = limit_for(waiter)
      if waiter.weight > limit then
        waiters.leave(id, text) -- Never fits any more; it asks again and is told so.
        waiters.tell(waiter.inbox, 'w', id)
      elseif state.used + waiter.weight <= limit then
        waiters.leave(id, text)
        waiter.meta = string.match(waiter.rest, '^%d+ (.*)$')
        grant(id, waiter, waiter.window)
        waiters.tell(waiter.inbox, 'g', id)
      else
        return
      end
      served = served + 1
    end
    if state.queued > 0 then return end
    local free = 0
    while state.wakers > 0 and served < most do
      local id, waiter, text = head_of(5, 'wakers')
      if not id then return end
      local limit = limit_for(waiter)
      local fits = waiter.weight <= limit -- Or it never does any more; it asks again and is told so.
      if fits and state.used + free + waiter.weight > limit then return end
      waiters.leave(id, text)
      waiters.tell(waiter.inbox, 'w', id)
      if fits then free = free + waiter.weight end
      served = served + 1
    end
  end

  return waiters
end

local function serve()
  if state.queued > 0 or state.wakers > 0 then waiters().serve() end
end

-- Takes the slots of an ended lease back. Where the lease is missing, its key was evicted or deleted: then sweep has
-- taken or will take all slots back at once, and these may be somebody else's by now.
local function end_lease(id, text)
  if redis.call('ZREM', KEYS[2], id) == 1 and kind_of(text) == 'h' then
    local _, slots = grant_of(text)
    give_slots(slots)
  end
  put(id, false)
end

-- Removes expired leases and tombstones, serves whoever waits, and returns when the next lease ends (ms) and whose
-- it is, or nil. Where more have ended than one verb removes, that is now.
local function sweep()
  local freed, next_end, next_id = false, now, nil
  for _ = 1, 16 do
    local first = redis.call('ZRANGE', KEYS[2], '0', '0', 'WITHSCORES')
    local id, ends = first[1], tonumber(first[2])
    if not id then
      next_end = nil
      if state.used > 0 then -- The lease key was evicted or deleted: nobody holds.
        put('used', 0)
        put('high', 0)
        freed = true
        redis.call('DEL', KEYS[3])
      end
      break
    end
    if ends > now then
      next_end, next_id = ends, id
      break
    end
    end_lease(id, record_of(id))
    freed = true
  end
  if freed then serve() end
  return next_end, next_id
end

-- A record that lost its state key starts afresh; what is left of it belongs to nobody. Looks before it deletes: a
-- script that has written may go on writing to a full server, and a new name must be refused there like any other.
local function start_afresh()
  if absent and redis.call('EXISTS', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]) > 0 then
    redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
  end
end

-- Leaves a tombstone, so that a late copy of this holder's acquire takes nothing. Sweeps first: tombstones must not
-- pile up where nobody holds, nor hide that the leases are gone.
local function bury(id, kind, ttl)
  sweep()
  extend(ttl)
  redis.call('ZADD', KEYS[2], now + ttl + slack, id)
  keep_key(2)
  put(id, kind)
end

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

local KEEP_MS, SLACK_MS = 3600000, 600000 -- Tokens are safe while clocks agree within KEEP_MS.
local OVERRIDE_MS = 315360000000          -- Ten years: an override of the limit lasts until it is cleared.
local SWEEP, SERVE, DROP = 16, 64, 256    -- Bounds of one verb.
local PIECE = 2000                        -- Most values in one command.

local us, now                             -- Server time in us, lease time in ms.
local state, record, touched, mail = {}, {}, {}, {}
local loaded = {}
local FIELDS = {'used', 'high', 'queued', 'wakers', 'ticket', 'limit', 'seen', 'until', 'token', 'gen', 'tick'}

local function int(n) return string.format('%.0f', n) end

local function read_clock(client_us)
  local t = redis.call('TIME')
  us = tonumber(t[1]) * 1000000 + tonumber(t[2])
  now = math.floor((client_us > 0 and client_us or us) / 1000)
end

-- Calls run(unpack(piece)) for pieces of a list: Lua unpacks less than 8,000 values at a time.
local function in_pieces(list, run)
  for from = 1, #list, PIECE do run(unpack(list, from, math.min(from + PIECE - 1, #list))) end
end

-- Reads the counters and the records of the given ids.
local function load(ids)
  local ask, got = {}, {}
  for i, field in ipairs(FIELDS) do ask[i] = field end
  for i, id in ipairs(ids) do ask[#FIELDS + i] = id end
  in_pieces(ask, function(...)
    for _, value in ipairs(redis.call('HMGET', KEYS[1], ...)) do got[#got + 1] = value end
  end)
  for i, field in ipairs(FIELDS) do
    loaded[field] = tonumber(got[i] or nil)
    state[field] = loaded[field] or 0
  end
  for i, id in ipairs(ids) do record[id] = got[#FIELDS + i] end
end

local function record_of(id)
  if record[id] == nil then record[id] = redis.call('HGET', KEYS[1], id) end
  return record[id]
end

local function forget(id)
  record[id] = false
  touched[id] = true
end

local function write(id, text)
  record[id] = text
  touched[id] = true
end

-- Records are one line: a letter for the kind, numbers and ids without spaces, free text last.
--   h weight limit ttl window inbox since token slots meta      holder; slots are ranges, 0-2,5
--   q|n weight limit ttl window inbox since ticket meta         waiter that is handed a permit | only woken
--   t, f                                                        tombstone of a released | forced holder
local function kind_of(text) return text and string.sub(text, 1, 1) end

local function parse_claim(text)
  local weight, limit, ttl, window, inbox, since, rest =
    string.match(text, '^. (%d+) (%d+) (%d+) (%d+) (%w+) (%d+) (.*)$')
  return {weight = tonumber(weight), limit = tonumber(limit), ttl = tonumber(ttl), window = tonumber(window),
          inbox = inbox, since = since, rest = rest}
end

local function claim_text(kind, c, rest)
  -- Joined, not formatted: '%s' ends at a zero byte.
  return string.format('%s %.0f %.0f %.0f %.0f %s %s ', kind, c.weight, c.limit, c.ttl, c.window, c.inbox, c.since) .. rest
end

-- Keys live until nobody can need them: the record's end is extended in steps of SLACK_MS, so it is rarely written.
local function extend(ttl)
  local need = math.max(now + ttl, math.ceil(state.token / 1000)) + KEEP_MS
  if state.limit > 0 then need = math.max(need, now + OVERRIDE_MS) end
  if state['until'] >= need then return end
  state['until'] = need + SLACK_MS
  local name = string.match(KEYS[1], '^{[^:]*:(.*)}:state$')
  redis.call('ZADD', KEYS[8], state['until'], name)
  local old = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', now - KEEP_MS, 'LIMIT', 0, SWEEP)
  if #old > 0 then redis.call('ZREM', KEYS[8], unpack(old)) end
  local last = redis.call('ZRANGE', KEYS[8], -1, -1, 'WITHSCORES')
  redis.call('PEXPIREAT', KEYS[8], last[2] + KEEP_MS)
  for i = 2, 6 do redis.call('PEXPIREAT', KEYS[i], state['until']) end
end

local function keep_key(i) redis.call('PEXPIREAT', KEYS[i], state['until']) end

-- Sets when leases end: expiry, id, ... A full server refuses ZADD even to change a score, unless the script has
-- written before; nobody must lose a lease for that.
local function renew(...)
  local answer = redis.pcall('ZADD', KEYS[2], ...)
  if type(answer) == 'table' then
    keep_key(2)
    redis.call('ZADD', KEYS[2], ...)
  end
end

local function save()
  local set, del = {}, {}
  for _, field in ipairs(FIELDS) do
    if state[field] ~= (loaded[field] or 0) then
      set[#set + 1] = field
      set[#set + 1] = int(state[field])
    end
  end
  -- Sorted, so that replicas and the simulator see one order whatever the hash seed of the interpreter.
  local ids = {}
  for id in pairs(touched) do ids[#ids + 1] = id end
  table.sort(ids)
  for _, id in ipairs(ids) do
    if record[id] then
      set[#set + 1] = id
      set[#set + 1] = record[id]
    else
      del[#del + 1] = id
    end
  end
  in_pieces(set, function(...) redis.call('HSET', KEYS[1], ...) end)
  in_pieces(del, function(...) redis.call('HDEL', KEYS[1], ...) end)
  if state['until'] ~= (loaded['until'] or 0) then redis.call('PEXPIREAT', KEYS[1], state['until']) end
  if loaded.queued and loaded.queued + (loaded.wakers or 0) > 0 and state.queued + state.wakers == 0 then
    redis.call('DEL', KEYS[6])
  end
  -- Last, and never an error: a message is a hint, and a refused channel must not hide a grant that was written.
  for _, letter in ipairs(mail) do redis.pcall('PUBLISH', 'semafence:inbox:' .. letter[1], letter[2]) end
end

local function tell(inbox, kind, id) mail[#mail + 1] = {inbox, kind .. id} end

-- Slots: the lowest free ones first. Free are the members of `free` and everything from `high` on, so
-- high - used is the number of members.
local function slots_of(rest) return string.match(rest, '^%d+ (%S+)') end

local function ranges_of(slots)
  local ranges = {}
  for first, last in string.gmatch(slots, '(%d+)-(%d+)') do ranges[#ranges + 1] = {tonumber(first), tonumber(last)} end
  return ranges
end

local function add_free(first, last)
  local add = {}
  for slot = first, last do
    add[#add + 1] = slot
    add[#add + 1] = slot
  end
  in_pieces(add, function(...) redis.call('ZADD', KEYS[3], ...) end)
end

-- The key of free slots was evicted or deleted: free is what no lease holds.
local function find_free()
  local held = {}
  for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    local text = record_of(id)
    if kind_of(text) == 'h' then
      for _, range in ipairs(ranges_of(slots_of(parse_claim(text).rest))) do held[#held + 1] = range end
    end
  end
  table.sort(held, function(a, b) return a[1] < b[1] end)
  local from = 0
  for _, range in ipairs(held) do
    add_free(from, range[1] - 1)
    from = range[2] + 1
  end
  add_free(from, state.high - 1)
  keep_key(3)
end

local function take_slots(count)
  local ranges = {}
  local function add(first, last)
    local previous = ranges[#ranges]
    if previous and previous[2] + 1 == first then previous[2] = last else ranges[#ranges + 1] = {first, last} end
  end
  local gaps = math.min(state.high - state.used, count)
  if gaps > 0 then
    local popped = redis.call('ZPOPMIN', KEYS[3], gaps)
    if #popped < 2 * gaps then
      find_free()
      popped = redis.call('ZPOPMIN', KEYS[3], gaps)
    end
    for i = 1, #popped, 2 do add(tonumber(popped[i]), tonumber(popped[i])) end
    gaps = #popped / 2
  end
  if gaps < count then
    add(state.high, state.high + count - gaps - 1)
    state.high = state.high + count - gaps
  end
  state.used = state.used + count
  local text = {}
  for i, range in ipairs(ranges) do text[i] = string.format('%.0f-%.0f', range[1], range[2]) end
  return table.concat(text, ',')
end

local function give_slots(text)
  local ranges = ranges_of(text)
  for i = #ranges, 1, -1 do
    local first, last = ranges[i][1], ranges[i][2]
    if last == state.high - 1 then
      state.high = first
    else
      add_free(first, last)
      keep_key(3)
    end
    state.used = state.used - (last - first + 1)
  end
  if state.used == 0 then
    if state.high > 0 then redis.call('DEL', KEYS[3]) end
    state.high = 0
  end
end

-- A name whose record is gone before its time (evicted, deleted) may have had tokens ahead of the clock.
local function floor_of_lost_record(base, at)
  local name = string.match(KEYS[1], '^{[^:]*:(.*)}:state$')
  local ends = redis.call('ZSCORE', KEYS[8], name)
  if ends and tonumber(ends) > now then return base + math.max(us - at, 0) end
  return 0
end

-- The rule of fencing tokens: lua/README.md, "Tokens".
local function next_token()
  if not state.base then
    local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
    local generation = redis.call('HMGET', KEYS[7], 'replid', 'base', 'at')
    state.base, state.at = tonumber(generation[2] or nil), tonumber(generation[3] or nil)
    state.jitter = tonumber(string.sub(replid, 1, 5), 16)
    if generation[1] ~= replid then
      state.base = math.max((state.base or 0) + 1048576 + state.jitter, us + 4294967296)
      state.at = us
      redis.call('HSET', KEYS[7], 'replid', replid, 'base', int(state.base), 'at', int(us))
    end
  end
  if state.gen == state.base then
    state.token = math.max(state.token + 1, us)
  else
    local step = state.tick == 1 and 67108864 or 1048576
    local lost = loaded['until'] == nil and floor_of_lost_record(state.base, state.at) or 0
    state.token = math.max(state.token + step + state.jitter, state.base, us, lost) + 1
    state.gen = state.base
  end
  state.tick = state.token == us and 1 or 0
  return state.token
end

-- Gives `claim` its slots and token, with a lease of `lease` ms.
local function grant(id, claim, lease)
  local token = next_token()
  local slots = take_slots(claim.weight)
  extend(math.max(lease, claim.ttl))
  redis.call('ZADD', KEYS[2], now + lease, id)
  if state.used == claim.weight then keep_key(2) end
  state.seen = claim.limit
  write(id, claim_text('h', claim, int(token) .. ' ' .. slots .. ' ' .. claim.meta))
end

-- One whose queue key was evicted or deleted is not counted any more, or those who came later would be.
local function leave_queue(id, text)
  if kind_of(text) == 'q' then
    state.queued = math.max(state.queued - redis.call('ZREM', KEYS[4], id), 0)
  else
    state.wakers = math.max(state.wakers - redis.call('ZREM', KEYS[5], id), 0)
  end
  forget(id)
end

local function is_patient(inbox)
  local patience = redis.call('HGET', KEYS[6], inbox)
  return patience and tonumber(patience) >= now
end

local function waiter_claim(text)
  local claim = parse_claim(text)
  claim.meta = string.match(claim.rest, '^%d+ (.*)$')
  return claim
end

local function limit_for(claim) return state.limit > 0 and state.limit or claim.limit end

-- The first waiter of a queue that is still listening; those whose process has gone quiet are dropped.
local function head_of(key, count)
  for _ = 1, DROP do
    local id = redis.call('ZRANGE', KEYS[key], 0, 0)[1]
    if not id then
      state[count] = 0 -- An evicted or deleted queue key must not block newcomers.
      return nil
    end
    local text = record_of(id)
    local waiter = text and (kind_of(text) == 'q' or kind_of(text) == 'n') and waiter_claim(text)
    if waiter and is_patient(waiter.inbox) then return id, waiter, text end
    redis.call('ZREM', KEYS[key], id)
    state[count] = math.max(state[count] - 1, 0)
    if text then forget(id) end
  end
end

-- Hands free slots to the queue in ticket order, then wakes one waiter per slot that is left.
local function serve()
  local served = 0
  while state.queued > 0 and served < SERVE do
    local id, waiter, text = head_of(4, 'queued')
    if not id then break end
    local limit = limit_for(waiter)
    if waiter.weight > limit then
      leave_queue(id, text) -- Never fits any more; it asks again and is told so.
      tell(waiter.inbox, 'w', id)
    elseif state.used + waiter.weight <= limit then
      leave_queue(id, text)
      grant(id, waiter, waiter.window)
      tell(waiter.inbox, 'g', id)
    else
      return
    end
    served = served + 1
  end
  if state.queued > 0 then return end
  local free = 0
  while state.wakers > 0 and served < SERVE do
    local id, waiter, text = head_of(5, 'wakers')
    if not id or state.used + free + waiter.weight > limit_for(waiter) then return end
    leave_queue(id, text)
    tell(waiter.inbox, 'w', id)
    free = free + waiter.weight
    served = served + 1
  end
end

-- Takes the slots of an ended lease back. Where the lease is missing, its key was evicted or deleted: then sweep has
-- taken or will take all slots back at once, and these may be somebody else's by now.
local function end_lease(id, text)
  if redis.call('ZREM', KEYS[2], id) == 1 and kind_of(text) == 'h' then give_slots(slots_of(parse_claim(text).rest)) end
  forget(id)
end

-- Removes expired leases and tombstones, serves whoever waits, and returns when the next lease ends (ms), or nil.
local function sweep()
  local freed = false
  for _ = 1, SWEEP do
    local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
    if not first[1] then
      if state.used > 0 then -- The lease key was evicted or deleted: nobody holds.
        state.used, state.high, freed = 0, 0, true
        redis.call('DEL', KEYS[3])
      end
      break
    end
    if tonumber(first[2]) > now then
      if freed then serve() end
      return tonumber(first[2])
    end
    local text = record_of(first[1])
    end_lease(first[1], text)
    freed = true
  end
  if freed then serve() end
end

-- A record that lost its state key starts afresh; what is left of it belongs to nobody.
local function start_afresh()
  if loaded['until'] == nil then redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]) end
end

-- Leaves a tombstone, so that a late copy of this holder's acquire takes nothing. Sweeps first: tombstones must not
-- pile up where nobody holds, nor hide that the leases are gone.
local function bury(id, kind, ttl)
  sweep()
  extend(ttl)
  redis.call('ZADD', KEYS[2], now + ttl, id)
  keep_key(2)
  write(id, kind)
end

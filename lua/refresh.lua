-- Extends live leases of one name to their ttl from now. Never brings an expired one back. After the server was replaced,
-- while nothing is granted, it takes in again what the server has forgotten.
--
-- KEYS  the eight of common.lua
-- ARGV  1 client time, us, 0 for the server's, -1: stepless  2 grace, ms, as in acquire.lua
--       then for each lease: holder, ttl in ms, token or 0 for whichever, and what was granted, or nothing where there is
--       no grace: weight, limit, window in ms, inbox, slots, meta, separated by spaces; or = and the slots
-- Reply for each lease: 1 held  2 waiting in the queue  3 taken by force  0 absent
--
-- Why slots are compared where a claim has voted: a token is proposed for whatever slots a server gives.
-- Why it sweeps: a heartbeat of one holder is what frees the slots of another that died.
-- Why it compares tokens: a server that forgot a grant may have given the claim another one since, with other slots: to
-- its place in the queue, or to a late copy of its acquire. Its client knows nothing of that.
-- On a server of a quorum, what it has of a claim under an older token may be overruled (vote.lua), and must not count.
-- Why what was forgotten may be taken in again: until the grace is over nobody else can have been given its slots.

load(ARGV[3])
read_clock(tonumber(ARGV[1]), tonumber(ARGV[4]))
grace = math.max(grace, tonumber(ARGV[2]))

local reply, leases, longest, freed = {}, {}, 0, false
if absent and grace == 0 then
  for i = 3, #ARGV, 4 do reply[#reply + 1] = 0 end
  return reply
end
start_afresh()
if ARGV[7] then
  local ids = {}
  for i = 7, #ARGV, 4 do ids[#ids + 1] = ARGV[i] end
  send(function(command, key, ...)
    local asked = {...}
    for i, text in ipairs(redis.call(command, key, ...)) do state[asked[i]] = text end
  end, 'HMGET', KEYS[1], ids)
end
local _, alive = sweep()
local may_take_in = grace_left() > 0 and not (absent and is_listed())

-- Makes the function that takes a lease in again; only where something was forgotten.
local function adopter()
  -- Ends what is on record of these slots under older tokens: its holder gave it back, or lost it, and the server forgot
  -- that. Answers whether there is nothing newer.
  local function clear(ranges, token)
    local owners = gaps().owners(ranges)
    for _, owner in ipairs(owners) do
      if tonumber((grant_of(state[owner]))) > token then return false end
    end
    for _, owner in ipairs(owners) do end_lease(owner, state[owner]) end
    return true
  end

  -- Answers whether it holds.
  return function(id, ttl, token, granted)
    local weight, limit, window, inbox, slots, meta = string.match(granted, '^(%d+) (%d+) (%d+) (%w+) (%S+) (.*)$')
    local ranges, number = ranges_of(slots), tonumber(token)
    local text = state[id]
    local is_holder = kind_of(text) == 'h'
    -- Tokens to come are above the base.
    if number > generation.base or is_holder and tonumber((grant_of(text))) > number then return false end
    if is_holder then
      end_lease(id, text)
    elseif text then
      waiters().leave(id, text)
    end
    if not gaps().has(ranges) and not clear(ranges, number) then return false end
    extend(ttl)
    gaps().occupy(ranges)
    redis.call('ZADD', KEYS[2], now + ttl + slack, id)
    keep_key(2)
    put('grace', math.max(grace, ttl))
    if state.seen == 0 then put('seen', tonumber(limit)) end
    put(id, 'h ' .. weight .. ' ' .. limit .. ' ' .. int(ttl) .. ' ' .. window .. ' ' .. inbox .. ' ' .. int(wall) .. ' '
            .. token .. ' ' .. slots .. ' ' .. meta)
    return true
  end
end

local function is_named(granted) return string.sub(granted, 1, 1) == '=' end

-- Whether this is the grant that its client means. A server of a quorum may have voted for other slots under that token.
local function is_same(text, token, granted)
  local its_token, slots = grant_of(text)
  if token ~= '0' and its_token ~= token then return false end
  local ranges = string.match(slots, '^(.-);')
  return not ranges or not is_named(granted) or granted == '=' .. ranges
end

for i = 3, #ARGV, 4 do
  local id, ttl, token, granted = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3]
  local kind = kind_of(state[id])
  local answer = 0
  if kind == 'h' then
    local expiry = id ~= alive and redis.call('ZSCORE', KEYS[2], id)
    if id ~= alive and not (expiry and tonumber(expiry) > now) then
      end_lease(id, state[id])
      freed = true
    elseif is_same(state[id], token, granted) then
      leases[#leases + 1] = now + ttl + slack
      leases[#leases + 1] = id
      longest = math.max(longest, ttl)
      answer = 1
    end
  elseif kind == 'q' or kind == 'n' then
    answer = 2
  elseif kind == 'f' then
    answer = 3
  end
  if may_take_in and granted ~= '' and not is_named(granted) and (answer == 0 and kind ~= 't' or answer == 2) then
    answer = adopter()(id, ttl, token, granted) and 1 or 0
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

-- Reads the names of a namespace that were used within the last hour or so; changes nothing.
--
-- KEYS  1 names  ZSET  name -> when its record ends, ms
-- ARGV  1 most names
-- Reply {how many, name, ...}, those that end last first
--
-- Why the number comes first: a name can be `message` or `subscribe`, and some drivers take an array that begins with
-- one of these for a push of pub/sub, drop it, and are one answer behind from then on.

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local names = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', string.format('(%.0f', now), 'LIMIT', 0, tonumber(ARGV[1]))
return {#names, unpack(names)}

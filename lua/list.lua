-- Reads the names of a namespace that were used within the last hour or so; changes nothing.
--
-- KEYS  1 names  ZSET  name -> when its record ends, ms
-- ARGV  1 most names
-- Reply the names, those that end last first

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
return redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', string.format('(%.0f', now), 'LIMIT', 0, tonumber(ARGV[1]))

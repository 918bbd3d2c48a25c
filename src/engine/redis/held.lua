#!lua
-- Whether as many names are held from somewhere as may be.
--
-- KEYS: sessions there by when they end
-- ARGV: how many may be
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] * 1000 + math.floor(time[2] / 1000))
local last = ARGV[1] - 1
return #redis.call('ZRANGE', KEYS[1], last, last)

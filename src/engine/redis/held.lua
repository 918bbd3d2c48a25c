#!lua
-- Whether as many names are held from somewhere as may be. Who was counted while the clock was ahead is so again once their
-- session is used.
--
-- KEYS: sessions there by when they end
-- ARGV: how many may be, ms that the end of a session may be away
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.0f', now + ARGV[2]), '+inf')
local last = ARGV[1] - 1
return #redis.call('ZRANGE', KEYS[1], last, last)

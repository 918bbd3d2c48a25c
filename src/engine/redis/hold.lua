#!lua
-- Notes that a session holds a name from somewhere.
--
-- KEYS: sessions there by when they end
-- ARGV: session, ms until it ends unless it is used
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1

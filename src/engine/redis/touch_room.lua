#!lua
-- Notes in the directory that a room was active. Times only move forward, unless a clock was wrong once.
--
-- KEYS: active rooms, room names
-- ARGV: tag, time, the room's key and name as JSON, milliseconds that a time may be ahead
redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[3])
local now = redis.call('TIME')
local known = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
if known > tonumber(now[1]) * 1000 + tonumber(ARGV[4]) + 1000 then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
else
  redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
end
return 1

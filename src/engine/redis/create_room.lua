#!lua
-- Creates the room with an empty log unless it exists.
--
-- KEYS: meta, log
-- ARGV: id for the epoch, room key, room name, until when it may be created in the server's milliseconds
-- Answers the room's name and the time of its last entry or its creation; "misfit" if there is a log without a room, "late" if there
-- is no room and it is too late.
local known = redis.call('HMGET', KEYS[1], 'epoch', 'name', 'at')
if known[1] then
  return { known[2], known[3] }
end
if redis.call('XLEN', KEYS[2]) > 0 then
  return { 'misfit' }
end
local now = redis.call('TIME')
if tonumber(now[1]) * 1000 + tonumber(now[2]) / 1000 > tonumber(ARGV[4]) then
  return { 'late' }
end
local at = string.format('%.0f', tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000))
redis.call('UNLINK', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'seq', '0', 'id', '0000000000000000', 'at', at, 'created', at,
  'key', ARGV[2], 'name', ARGV[3])
return { ARGV[3], at }

#!lua
-- Adds a room to a person's list, behind those that are on it, with everything in it so far counted as read.
--
-- KEYS: the person's rooms, the person's marks
-- ARGV: tag, seconds to keep both, the mark ("" if there is no such room)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  local now = redis.call('TIME')
  local score = tonumber(now[1]) * 1000000 + tonumber(now[2])
  local newest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  if newest[2] then
    score = math.max(score, tonumber(newest[2]) + 1)
  end
  redis.call('ZADD', KEYS[1], string.format('%.0f', score), ARGV[1])
end
if ARGV[3] ~= '' then
  redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[3])
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1

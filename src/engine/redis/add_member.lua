#!lua
-- Adds a room to a person's list, behind those that are on it.
--
-- KEYS: the person's rooms
-- ARGV: tag, seconds to keep the list
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  local now = redis.call('TIME')
  local score = tonumber(now[1]) * 1000000 + tonumber(now[2])
  local newest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  if newest[2] then
    score = math.max(score, tonumber(newest[2]) + 1)
  end
  redis.call('ZADD', KEYS[1], string.format('%.0f', score), ARGV[1])
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1

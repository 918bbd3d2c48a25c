#!lua
-- Adds a room to a person's list, behind those that are on it, with everything in it so far counted as read: all of that
-- or nothing.
--
-- KEYS: the person's rooms, the person's marks
-- ARGV: tag, seconds to keep both, the mark ("" if there is no such room)
local rooms, marks, tag = KEYS[1], KEYS[2], ARGV[1]

local function failed(answer)
  return type(answer) == 'table' and answer.err and answer
end

local now = redis.call('TIME')
local is_new = not redis.call('ZSCORE', rooms, tag)
local is_marked = ARGV[3] ~= '' and redis.call('HSETNX', marks, tag, ARGV[3]) == 1
local error = failed(redis.pcall('EXPIRE', marks, ARGV[2]))
if not error and is_new then
  local score = tonumber(now[1]) * 1000000 + tonumber(now[2])
  local newest = redis.pcall('ZREVRANGE', rooms, 0, 0, 'WITHSCORES')
  if newest[2] then
    score = math.max(score, tonumber(newest[2]) + 1)
  end
  error = failed(newest) or failed(redis.pcall('ZADD', rooms, string.format('%.0f', score), tag))
end
error = error or failed(redis.pcall('EXPIRE', rooms, ARGV[2]))
if not error then
  return 1
end
if is_new then
  redis.pcall('ZREM', rooms, tag)
end
if is_marked then
  redis.pcall('HDEL', marks, tag)
end
return error

#!lua
-- Takes a room off a person's list, and forgets how far they have read: both or neither.
--
-- KEYS: the person's rooms, the person's marks
-- ARGV: tag
-- Answers the mark ("" if the room was not on the list).
local mark = redis.call('HGET', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
local removed = redis.pcall('ZREM', KEYS[1], ARGV[1])
if type(removed) == 'table' and removed.err then
  if mark then
    redis.pcall('HSET', KEYS[2], ARGV[1], mark)
  end
  return removed
end
return mark or ''

#!lua
-- Notes people in a room and tells whoever follows it, if they are new there.
--
-- KEYS: people, the room's channel
-- ARGV: what to say on the channel, then fields and names in turn (some hundreds at most: unpack has a limit)
-- Answers how many are new. That nobody could be told undoes nothing: presence is looked at from time to time.
local new = redis.call('HSET', KEYS[1], unpack(ARGV, 2))
if new > 0 then
  redis.pcall('SPUBLISH', KEYS[2], ARGV[1])
end
return new

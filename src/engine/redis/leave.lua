#!lua
-- Takes people off a room and tells whoever follows it, if they were there.
--
-- KEYS: people, the room's channel
-- ARGV: what to say on the channel, then fields
-- Answers how many were there. That nobody could be told undoes nothing: presence is looked at from time to time.
local gone = 0
for i = 2, #ARGV do
  gone = gone + redis.call('HDEL', KEYS[1], ARGV[i])
end
if gone > 0 then
  redis.pcall('SPUBLISH', KEYS[2], ARGV[1])
end
return gone

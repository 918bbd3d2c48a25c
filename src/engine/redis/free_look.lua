#!lua
-- Frees a look under which a room was not made after all, or whose room is lost.
--
-- KEYS: look
-- ARGV: room key, id of the claim, or "" if it was kept
if redis.call('GET', KEYS[1]) ~= ARGV[2] .. ' ' .. ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])

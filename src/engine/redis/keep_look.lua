#!lua
-- Keeps a look for a room that exists, unless another room has it.
--
-- KEYS: look
-- ARGV: room key
local holder = string.match(redis.call('GET', KEYS[1]) or '', '^%w* (.+)$')
if not holder or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ' ' .. ARGV[1])
end
return 1

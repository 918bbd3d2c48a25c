#!lua
-- Claims a look for a room that is about to be made, unless another room has it or somebody else has claimed it.
--
-- A look holds an id of its claim, a space and the room's key; no id once it is kept for good.
--
-- KEYS: look
-- ARGV: room key, id of the claim, milliseconds to hold it
-- Answers the key of the room that has it, which may be the same that somebody else is making, or "" if it is claimed now.
local claim, holder = string.match(redis.call('GET', KEYS[1]) or '', '^(%w*) (.+)$')
if holder and (holder ~= ARGV[1] or (claim ~= '' and claim ~= ARGV[2])) then
  return holder
end
redis.call('SET', KEYS[1], ARGV[2] .. ' ' .. ARGV[1], 'PX', ARGV[3])
return ''

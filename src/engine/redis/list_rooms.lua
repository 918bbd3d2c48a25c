#!lua flags=no-writes
-- The most recently active rooms.
--
-- KEYS: active rooms, room names
-- ARGV: how many
-- Answers tag, time, key and name as JSON ("" if unknown), tag, …
local answer = {}
local active = redis.call('ZREVRANGE', KEYS[1], 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
for i = 1, #active, 2 do
  answer[#answer + 1] = active[i]
  answer[#answer + 1] = active[i + 1]
  answer[#answer + 1] = redis.call('HGET', KEYS[2], active[i]) or ''
end
return answer

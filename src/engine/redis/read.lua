#!lua flags=no-writes
-- Reads the log's top and a run of entries as of one moment.
--
-- KEYS: meta, log
-- ARGV: XRANGE or XREVRANGE, its two bounds, how many ("0": the top alone)
-- Answers nothing if there is no such room, else: epoch, seq and id of the last entry, then the entries' JSON.
local top = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'id')
if not top[1] then
  return {}
end
local answer = { top[1], top[2], top[3] }
if ARGV[4] ~= '0' then
  for _, entry in ipairs(redis.call(ARGV[1], KEYS[2], ARGV[2], ARGV[3], 'COUNT', ARGV[4])) do
    answer[#answer + 1] = entry[2][2]
  end
end
return answer

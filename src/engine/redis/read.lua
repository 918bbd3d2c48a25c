#!lua flags=no-writes
-- Reads the log's top and a run of entries as of one moment.
--
-- KEYS: meta, log
-- ARGV: XRANGE or XREVRANGE, its two bounds, how many ("0": the top alone)
-- Answers nothing if there is no such room, "misfit" if meta says something else than the log, else: epoch, seq and id of
-- the last entry, then the entries' JSON.
local top = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'id')
local count = redis.call('XLEN', KEYS[2])
if not top[1] then
  return count == 0 and {} or { 'misfit' }
end
if not top[2] or not top[3] then
  return { 'misfit' }
end
-- A log that somebody trimmed at its beginning is shorter, and still ends where meta says.
if count ~= tonumber(top[2]) then
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  local head = '{"epoch":"' .. top[1] .. '","seq":' .. top[2] .. ',"id":"' .. top[3] .. '"'
  if not last or string.sub(last[2][2] or '', 1, #head) ~= head then
    return { 'misfit' }
  end
end
local answer = { top[1], top[2], top[3] }
if ARGV[4] ~= '0' then
  for _, entry in ipairs(redis.call(ARGV[1], KEYS[2], ARGV[2], ARGV[3], 'COUNT', ARGV[4])) do
    answer[#answer + 1] = entry[2][2]
  end
end
return answer

#!lua flags=no-writes
-- When a room was last active, who wrote its last message, and how that begins.
--
-- KEYS: meta, log
-- ARGV: bytes of the text to answer at most, and some more if a character ends there
-- Answers nothing if there is no such room; else the time and, if the log ends with a message, the name and the text.
local at = redis.call('HGET', KEYS[1], 'at')
if not at then
  return {}
end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local read, entry = pcall(cjson.decode, last and last[2][2] or '')
local body = read and type(entry) == 'table' and entry.body
if type(body) ~= 'table' or body.kind ~= 'message' or type(body.text) ~= 'string' or type(entry.name) ~= 'string' then
  return { at }
end
local stop = tonumber(ARGV[1])
while stop < #body.text and math.floor(string.byte(body.text, stop + 1) / 64) == 2 do
  stop = stop + 1
end
return { at, entry.name, string.sub(body.text, 1, stop) }

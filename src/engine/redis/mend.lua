#!lua
-- Makes meta say where the log ends, as somebody who deleted, trimmed or restored one of the two left it. The log is what
-- people wrote, so it counts; where there is nothing left of what meta speaks of, another log begins. Whoever has seen
-- entries that are gone finds out by their ids or by the epoch.
--
-- KEYS: meta, log
-- ARGV: id for a new epoch, room key, room name ("" if unknown)
-- Answers "fits", "log" (it ends where the log does) or "anew", and the seqs before and after it; "damaged" if the log's last
-- entry is nothing that Hubbub wrote; nothing if there is no such room, or a log without one.
local function text(number)
  return string.format('%.0f', number)
end

local top = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'id', 'name')
local seq = top[2] or '0'
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local name = top[4] or ARGV[3]
if (not top[1] and not last) or name == '' then
  return {}
end

local now = redis.call('TIME')
now = text(tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000))
local epoch, place, id, at
if last then
  local json = '^{"epoch":"(%x+)","seq":(%d+),"id":"(%x+)","prev":"%x+","at":(%d+),'
  epoch, place, id, at = string.match(last[2][2] or '', json)
end
if last and (not epoch or last[1] ~= place .. '-0') then
  return { 'damaged' }
end
if last then
  -- The next place is free, even if the stream remembers later ones.
  redis.call('XSETID', KEYS[2], last[1])
  if top[1] == epoch and seq == place and top[3] == id then
    return { 'fits', seq, seq }
  end
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'seq', place, 'id', id, 'at', at, 'key', ARGV[2], 'name', name)
  redis.call('HSETNX', KEYS[1], 'created', at)
  return { 'log', seq, place }
end
if seq == '0' and redis.call('EXISTS', KEYS[2]) == 0 then
  return { 'fits', seq, seq }
end
redis.call('UNLINK', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'seq', '0', 'id', '0000000000000000', 'at', now, 'created', now,
  'key', ARGV[2], 'name', name)
return { 'anew', seq, '0' }

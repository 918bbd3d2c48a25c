#!lua
-- Appends one message, or uses up its number. Refused before anything was written where memory is full or the server
-- is a replica (a script without flags is).
--
-- KEYS: meta, log, the producer's record, the room's channel, the record of each earlier number's producer
-- ARGV: n, digest, id for a new epoch, id for the entry, the entry's JSON from "by" on ("" for a void), room key,
--       room name, seconds to keep the producer's record, the last millisecond at which this may be done ("" for none),
--       each earlier number
-- Answers one of
--   "entry", epoch, seq, id, at (at only if the entry is new)
--   "void"
--   "conflict"
--   "gap", last
--   "late", the server's time in milliseconds
local meta, log, producer, channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local n, digest = tonumber(ARGV[1]), ARGV[2]

local function text(number)
  return string.format('%.0f', number)
end

local top = redis.call('HMGET', meta, 'epoch', 'seq', 'id', 'at')
local epoch, seq, prev, at = top[1], tonumber(top[2] or 0), top[3] or '0000000000000000', tonumber(top[4] or 0)

-- A slot of the record says what became of a number: "<n> <digest> <seq> <id>", for a void "<n> void".
local slot = text(n % 64)
local last, before = 0, false
local record = redis.call('HMGET', producer, 'epoch', 'last', slot)
-- A record of another incarnation of the log answers for entries that are gone.
if epoch and record[1] == epoch then
  last, before = tonumber(record[2]), record[3]
elseif record[1] then
  redis.call('UNLINK', producer)
end

if n ~= last + 1 then
  local was, as, where, id = string.match(before or '', '^(%d+) (%w+) ?(%d*) ?(%w*)$')
  if was ~= ARGV[1] or n > last or last - n >= 64 then
    return { 'gap', text(last) }
  end
  if as == 'void' and digest == 'void' then
    return { 'void' }
  end
  -- A void that came too late learns of the entry.
  if as == digest or (digest == 'void' and as ~= 'void') then
    return { 'entry', epoch, where, id }
  end
  return { 'conflict' }
end

local now = redis.call('TIME')
now = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
-- It lay somewhere for too long: who sent it may not any more.
if ARGV[9] ~= '' and now > tonumber(ARGV[9]) then
  return { 'late', text(now) }
end

local function keep(done)
  redis.call('HSET', producer, 'epoch', epoch, 'last', ARGV[1], slot, done)
  redis.call('EXPIRE', producer, ARGV[8])
end

-- The same message, which its sender was told was lost: another server than this one had lost it.
for i = 5, #KEYS do
  local earlier = ARGV[i + 5]
  local kept = redis.call('HMGET', KEYS[i], 'epoch', text(tonumber(earlier) % 64))
  local was, as, where, id = string.match(kept[2] or '', '^(%d+) (%w+) (%d+) (%w+)$')
  if epoch and kept[1] == epoch and was == earlier and as == digest then
    keep(ARGV[1] .. ' ' .. digest .. ' ' .. where .. ' ' .. id)
    return { 'entry', epoch, where, id }
  end
end

at = math.max(at, now)

if not epoch then
  epoch, seq, prev = ARGV[3], 0, '0000000000000000'
  redis.call('UNLINK', log)
  redis.call('HSET', meta, 'epoch', epoch, 'seq', '0', 'id', prev, 'at', text(at), 'created', text(at),
    'key', ARGV[6], 'name', ARGV[7])
end

local answer, done
if digest == 'void' then
  answer, done = { 'void' }, ARGV[1] .. ' void'
else
  seq = seq + 1
  local id, place, time = ARGV[4], text(seq), text(at)
  local json = '{"epoch":"' .. epoch .. '","seq":' .. place .. ',"id":"' .. id .. '","prev":"' .. prev
    .. '","at":' .. time .. ',' .. ARGV[5]
  redis.call('XADD', log, place .. '-0', 'e', json)
  redis.call('HSET', meta, 'seq', place, 'id', id, 'at', time)
  redis.call('SPUBLISH', channel, json)
  answer, done = { 'entry', epoch, place, id, time }, ARGV[1] .. ' ' .. digest .. ' ' .. place .. ' ' .. id
end
keep(done)
return answer

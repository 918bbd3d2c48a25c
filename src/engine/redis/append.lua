#!lua
-- Appends one message, or uses up its number. Refused before anything was written where memory is full or the server
-- is a replica (a script without flags is). Any single command may fail all the same, as for a user who lacks a right, and
-- Redis does not undo what came before: so the number is used up first, which the right to write it back undoes, and an
-- entry that could not be published stands.
--
-- KEYS: meta, log, the producer's record, the room's channel, the record of each earlier number's producer
-- ARGV: n, digest, id for the entry (and for a new epoch), the entry's JSON from "by" on ("" for a void), room key, room name,
--       the last millisecond at which this may be done ("" for none), why a void may make no record ("" if it may), each
--       earlier number
-- Answers one of
--   "entry", epoch, seq, id, at, why nobody was told; the last two only if the entry is new, the last if nobody was
--   "void"
--   "conflict"
--   "gap", last
--   "late", the server's time in milliseconds
--   "refused", why: nothing was written
--   "misfit": nothing was written, because meta says something else than the log

-- Seconds for which a record with an entry is kept: longer than the seven days for which clients are told to retry; thirty days,
-- and the one within which it is not prolonged. It is not taken away with the session: nothing lists the records, and to
-- keep such a list would cost every append of a new producer.
local kept_for = 2678400
-- Seconds for which one of voids alone is: longer than what may still be on its way when a void is answered.
local voids_kept_for = 900
-- Milliseconds that an entry's time may be ahead of the clock: TIME_AHEAD_MAX.
local ahead_max = 60000

local meta, log, producer, channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local n, digest = tonumber(ARGV[1]), ARGV[2]

local function text(number)
  return string.format('%.0f', number)
end

local function is_error(answer)
  return type(answer) == 'table' and answer.err
end

local top = redis.call('HMGET', meta, 'epoch', 'seq', 'id', 'at')
local epoch, seq, prev, at = top[1], tonumber(top[2] or 0), top[3] or '0000000000000000', tonumber(top[4] or 0)

-- Whether the log has this entry at this place. Takes all that it needs: each variable of the script that a function uses costs
-- every append.
local function stands(log, epoch, where, id)
  local found = redis.call('XRANGE', log, where .. '-0', where .. '-0')[1]
  local head = '{"epoch":"' .. (epoch or '') .. '","seq":' .. where .. ',"id":"' .. id .. '"'
  return found and string.sub(found[2][2], 1, #head) == head
end

-- A log that somebody trimmed at its beginning is shorter, and still ends where meta says.
if redis.call('XLEN', log) ~= seq then
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if not last or last[1] ~= text(seq) .. '-0' or not stands(log, epoch, text(seq), prev) then
    return { 'misfit' }
  end
end

-- A slot of the record says what became of a number: "<n> <digest> <seq> <id>", for a void "<n> void". `kept` is when its time
-- to live was last prolonged, in milliseconds; a record of voids alone has none.
local slot = text(n % 64)
local last, before, known, kept = 0, false, false, nil
local record = redis.call('HMGET', producer, 'epoch', 'last', slot, 'kept')
-- A record of another incarnation of the log answers for entries that are gone.
if epoch and record[1] == epoch then
  last, before, known, kept = tonumber(record[2]), record[3], true, tonumber(record[4] or '')
elseif record[1] then
  redis.call('UNLINK', producer)
end

if n ~= last + 1 then
  local was, as, where, id = string.match(before or '', '^(%d+) (%w+) ?(%d*) ?(%w*)$')
  if was ~= ARGV[1] or n > last or last - n >= 64 then
    return { 'gap', text(last) }
  end
  if as ~= 'void' and not stands(log, epoch, where, id) then
    -- The log lost it: its number stays used up.
    redis.call('HSET', producer, slot, ARGV[1] .. ' void')
    as = 'void'
  end
  if as == 'void' and digest == 'void' then
    return { 'void' }
  end
  -- A void that came too late learns of the entry.
  if as ~= 'void' and (as == digest or digest == 'void') then
    return { 'entry', epoch, where, id }
  end
  return { 'conflict' }
end

local now = redis.call('TIME')
now = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
-- It lay somewhere for too long: who sent it may not any more.
if ARGV[7] ~= '' and now > tonumber(ARGV[7]) then
  return { 'late', text(now) }
end

-- The same message, which its sender was told was lost: another server than this one had lost it.
local place, id
for i = 5, #KEYS do
  local earlier = ARGV[i + 4]
  local slots = redis.call('HMGET', KEYS[i], 'epoch', text(tonumber(earlier) % 64))
  local was, as, where, entry = string.match(slots[2] or '', '^(%d+) (%w+) (%d+) (%w+)$')
  if epoch and slots[1] == epoch and was == earlier and as == digest and stands(log, epoch, where, entry) then
    place, id = where, entry
    break
  end
end
local is_new = not place and digest ~= 'void'

if digest == 'void' and not known and ARGV[8] ~= '' then
  return { 'refused', ARGV[8] }
end

-- A clock that was wrong once does not mark what comes after it.
if at < now or at > now + ahead_max then
  at = now
end

if not epoch then
  epoch, seq, prev = ARGV[3], 0, '0000000000000000'
  redis.call('UNLINK', log)
  redis.call('HSET', meta, 'epoch', epoch, 'seq', '0', 'id', prev, 'at', text(at), 'created', text(at),
    'key', ARGV[5], 'name', ARGV[6])
end

if is_new then
  place, id = text(seq + 1), ARGV[3]
end
local done = ARGV[1] .. (place and ' ' .. digest .. ' ' .. place .. ' ' .. id or ' void')

-- Uses up the number.
local failed = false
if kept and math.abs(now - kept) < 86400000 then
  -- Its time to live is long: once a day is enough to prolong it.
  redis.call('HSET', producer, 'last', ARGV[1], slot, done)
elseif kept or place then
  redis.call('HSET', producer, 'epoch', epoch, 'last', ARGV[1], slot, done, 'kept', text(now))
  failed = is_error(redis.pcall('EXPIRE', producer, kept_for))
else
  -- A record of voids alone shows nowhere, so it is not kept for long; its last void is younger than anything that may still be
  -- on its way.
  redis.call('HSET', producer, 'epoch', epoch, 'last', ARGV[1], slot, done)
  failed = is_error(redis.pcall('EXPIRE', producer, voids_kept_for))
end

local time, json
if is_new and not failed then
  time = text(at)
  json = '{"epoch":"' .. epoch .. '","seq":' .. place .. ',"id":"' .. id .. '","prev":"' .. prev
    .. '","at":' .. time .. ',' .. ARGV[4]
  failed = is_error(redis.pcall('XADD', log, place .. '-0', 'e', json))
end

if failed then
  -- Gives it back.
  if known or is_error(redis.pcall('UNLINK', producer)) then
    redis.call('HSET', producer, 'last', text(last), slot, before or '', 'kept', kept and text(kept) or '')
    if not kept then
      redis.pcall('EXPIRE', producer, voids_kept_for)
    end
  end
  return string.find(failed, 'equal or smaller', 1, true) and { 'misfit' } or { 'refused', failed }
end
if not place then
  return { 'void' }
end
if not is_new then
  return { 'entry', epoch, place, id }
end
redis.call('HSET', meta, 'seq', place, 'id', id, 'at', time)
-- Whoever does not hear of it finds it in the log.
return { 'entry', epoch, place, id, time, is_error(redis.pcall('SPUBLISH', channel, json)) or nil }

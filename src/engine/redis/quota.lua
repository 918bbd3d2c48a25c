#!lua
-- Takes a token out of a bucket by the generic cell rate algorithm, or says how many ms are missing. What is kept is when
-- the bucket will be full; it goes by itself at that moment.
--
-- KEYS: bucket
-- ARGV: ms in which a token comes back, ms in which an empty bucket is full
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local every, span = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at = tonumber(redis.call('GET', KEYS[1]) or now)
-- What is further ahead than an empty bucket was written by a clock that was wrong.
full_at = math.min(math.max(full_at, now), now + span) + every
local missing = full_at - now - span
if missing > 0 then
  return missing
end
redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', full_at - now)
return 0

#!lua
-- Renews an instance's lease, or takes out its first, and drops leases that lapsed: who finds its own dropped has to come
-- back under another id. So does one whose lease a clock that was wrong gave for more than ten minutes.
--
-- KEYS: instances
-- ARGV: instance, milliseconds, "first" or "again", instance to give up ("" for none)
-- Answers "held" or "lapsed", the server's time in milliseconds, then the live instances.
local now = redis.call('TIME')
now = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local function at(time)
  return string.format('%.0f', time)
end

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at(now))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. at(now + 600000), '+inf')
if ARGV[4] ~= '' then
  redis.call('ZREM', KEYS[1], ARGV[4])
end
local answer = { 'lapsed', at(now) }
if ARGV[3] == 'first' or redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  redis.call('ZADD', KEYS[1], at(now + tonumber(ARGV[2])), ARGV[1])
  answer[1] = 'held'
end
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  answer[#answer + 1] = id
end
return answer

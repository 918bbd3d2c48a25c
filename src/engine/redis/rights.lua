#!lua
-- Tries each command that Hubbub needs, on a key that is gone afterwards and a channel on which nobody listens.
--
-- KEYS: key, channel
-- Answers the first command that was refused and what was said about it; nothing if there is none.
local key, channel = KEYS[1], KEYS[2]

local function refused(tries)
  for _, try in ipairs(tries) do
    local answer = redis.pcall(unpack(try))
    if type(answer) == 'table' and answer.err then
      return { try[1], answer.err }
    end
  end
end

local missing = refused({
  { 'UNLINK', key },
  { 'HSET', key, 'a', '1' },
  { 'EXPIRE', key, '10' },
  { 'PEXPIRE', key, '10000' },
  { 'PTTL', key },
  { 'EXISTS', key },
  { 'HSETNX', key, 'b', '1' },
  { 'HGET', key, 'a' },
  { 'HMGET', key, 'a', 'b' },
  { 'HGETALL', key },
  { 'HDEL', key, 'a' },
  { 'DEL', key },
  { 'SET', key, '1', 'PX', '10000', 'NX' },
  { 'GET', key },
  { 'UNLINK', key },
  { 'ZADD', key, '1', 'a' },
  { 'ZSCORE', key, 'a' },
  { 'ZRANGE', key, '0', '-1' },
  { 'ZREVRANGE', key, '0', '0' },
  { 'ZRANGEBYSCORE', key, '1', '1' },
  { 'ZREMRANGEBYSCORE', key, '2', '2' },
  { 'ZREM', key, 'a' },
  { 'XADD', key, '1-0', 'e', '1' },
  { 'XLEN', key },
  { 'XRANGE', key, '1-0', '1-0' },
  { 'XREVRANGE', key, '+', '-', 'COUNT', '1' },
  { 'XSETID', key, '1-0' },
  { 'TIME' },
  { 'SPUBLISH', channel, 'probe' },
})
redis.pcall('UNLINK', key)
return missing or {}

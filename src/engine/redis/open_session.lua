#!lua
-- Writes a session, never without its time to live.
--
-- KEYS: session
-- ARGV: user, name, hashes of the name's keys, milliseconds to live
redis.call('HSET', KEYS[1], 'user', ARGV[1], 'name', ARGV[2], 'held', ARGV[3])
local kept = redis.pcall('PEXPIRE', KEYS[1], ARGV[4])
if type(kept) == 'table' and kept.err then
  redis.call('DEL', KEYS[1])
  return kept
end
return 1

#!lua
-- Writes a session, never without its time to live.
--
-- KEYS: session
-- ARGV: user, name, hash of the name's key, milliseconds to live
redis.call('HSET', KEYS[1], 'user', ARGV[1], 'name', ARGV[2], 'held', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1

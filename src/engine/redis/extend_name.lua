#!lua
-- Keeps a name for the session that holds it.
--
-- KEYS: name
-- ARGV: token hash, milliseconds to live
-- Answers whether the session holds the name.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1

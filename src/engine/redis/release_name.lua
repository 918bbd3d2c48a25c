#!lua
-- Frees a name if this session holds it.
--
-- KEYS: name
-- ARGV: token hash
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])

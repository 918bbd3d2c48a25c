#!lua
-- Takes a room off a person's list, and forgets how far they have read.
--
-- KEYS: the person's rooms, the person's marks
-- ARGV: tag
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1

#!lua
-- Notes in the directory that a room was active; times only move forward.
--
-- KEYS: active rooms, room names
-- ARGV: tag, time, the room's key and name as JSON
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[3])
return 1

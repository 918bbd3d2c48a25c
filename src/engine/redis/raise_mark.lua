#!lua
-- Raises a member's mark. The caller has made sure that its epoch is the log's, and that the log is as long.
--
-- KEYS: the person's rooms, the person's marks
-- ARGV: tag, epoch, seq, seconds to keep the marks
-- Answers whether it rose.
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
local epoch, seq = string.match(redis.call('HGET', KEYS[2], ARGV[1]) or '', '^(%x+) (%d+)$')
if epoch == ARGV[2] and tonumber(seq) >= tonumber(ARGV[3]) then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
local kept = redis.pcall('EXPIRE', KEYS[2], ARGV[4])
if type(kept) == 'table' and kept.err and not epoch then
  -- It may be the first here, and would stay for ever. Where there were marks before, their time goes on.
  redis.pcall('HDEL', KEYS[2], ARGV[1])
  return kept
end
return 1

-- Puts another payload in the place of that of a row that is still there.
-- KEYS: rows, owed, replaced. ARGV: id, its place among the rows, payload.
local archived = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if not archived and not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  return 0
end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
return 1

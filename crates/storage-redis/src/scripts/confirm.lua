-- Makes rows not owed. What is in no archive goes.
-- KEYS: owed, waiting, replaced. ARGV: ids.
for _, id in ipairs(ARGV) do
  if redis.call('ZREM', KEYS[1], id) == 1 and redis.call('HDEL', KEYS[2], id) == 1 then
    redis.call('HDEL', KEYS[3], id)
  end
end
return 1
